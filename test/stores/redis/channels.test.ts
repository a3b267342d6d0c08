import { Redis } from 'ioredis'
import { afterAll, describe, expect, inject, test } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { namesOf } from '../../../src/stores/redis/keys.ts'
import { encodeMessage, encodeNotice } from '../../../src/stores/redis/messages.ts'
import { newToken, openPeers } from '../contract/peers.ts'

const anybody = new Redis(inject('redisUrl'))
afterAll(() => anybody.disconnect())

const HOSTILE: Buffer[] = [
  Buffer.alloc(0),
  Buffer.from([0]),
  Buffer.from([0xff, 0xfe, 0x80]),
  Buffer.alloc(100_000, 'V'),
  Buffer.from('not ours'),
  Buffer.from('{}'),
  Buffer.from('{"from":"x"}'),
  Buffer.from('{"from":{},"ids":[]}'),
  Buffer.from('{"from":"x","ids":[1]}'),
  Buffer.from('[['.repeat(5000)),
  Buffer.from('null'),
  Buffer.from(`V${newToken()}99:short`),
  Buffer.from(`Z${newToken()}1:x`),
  Buffer.from(`V${newToken()}`),
]

describe('bytes that are not ours', () => {
  test('on the inbox and the bus are faults, and what is ours comes as ever', async () => {
    await using peers = await openPeers({ open: () => () => redisStore(inject('redisUrl')) })
    const peer = await peers.join()
    const names = namesOf(peers.namespace)
    for (const channel of [names.inbox(peer.instanceId), names.bus]) {
      for (const bytes of HOSTILE) {
        const before = peer.faults.length
        await anybody.publish(channel, bytes)
        await peer.told(() => peer.faults.length > before, `the fault of ${bytes.subarray(0, 40).toString('latin1')}`)
        expect(peer.faults).toHaveLength(before + 1)
        expect(peer.faults.at(-1)).toBeInstanceOf(Error)
        expect(String(peer.faults.at(-1))).toContain(channel)
      }
    }
    expect([peer.messages, peer.notices]).toEqual([[], []])

    const token = newToken()
    await anybody.publish(names.inbox(peer.instanceId), encodeMessage('A', token, 'x'))
    expect(await peer.message(token)).toEqual({ id: 'x', token, outcome: { type: 'again' } })
    await anybody.publish(names.bus, encodeNotice({ from: 'me', ids: ['x'], tags: [], all: false }))
    expect(await peer.notice(() => true)).toEqual({ from: 'me', ids: ['x'], tags: [], all: false })
    expect(peer.inbox).toEqual([true])
  })

  test('a message on the bus and a notice on the inbox are faults, too', async () => {
    await using peers = await openPeers({ open: () => () => redisStore(inject('redisUrl')) })
    const peer = await peers.join()
    const names = namesOf(peers.namespace)
    await anybody.publish(names.bus, encodeMessage('A', newToken(), 'x'))
    await anybody.publish(names.inbox(peer.instanceId), encodeNotice({ from: 'me', ids: [], tags: [], all: false }))
    await peer.told(() => peer.faults.length === 2, 'the faults')
    expect([peer.messages, peer.notices]).toEqual([[], []])
  })

  test('of another instance’s inbox do not arrive', async () => {
    await using peers = await openPeers({ open: () => () => redisStore(inject('redisUrl')) })
    const [one, two] = [await peers.join({ instanceId: 'instance' }), await peers.join({ instanceId: 'instance2' })]
    const token = newToken()
    await anybody.publish(namesOf(peers.namespace).inbox('instance'), encodeMessage('A', token, 'x'))
    await one.message(token)
    await peers.settle()
    expect(two.messages.filter((message) => message.token === token)).toEqual([])
  })
})
