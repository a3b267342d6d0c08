import { expect, test } from 'vitest'
import { openPeers, type StoreSource } from './peers.ts'

/** `announce`. */
export function announcing(source: StoreSource): void {
  test('an announcement reaches all caches of the namespace, the sender too', async () => {
    await using peers = await openPeers(source)
    const all = [await peers.join(), await peers.join(), await peers.join()]
    const [sender] = all
    const notice = { from: sender?.instanceId as string, ids: ['a', 'b'], tags: [], all: false }
    await sender?.session.announce(notice)
    for (const peer of all) expect(await peer.notice(() => true)).toEqual(notice)
  })

  test('an announcement names all of its ids and tags, whatever they are, and as many as there are', async () => {
    await using peers = await openPeers(source)
    const [sender, receiver] = [await peers.join(), await peers.join()]
    const lists = [
      [],
      [''],
      ['{', '}', '%', '"', '\\', '\0', '\r\n', '💡', 'é', 'x'.repeat(256)],
      Array.from({ length: 5000 }, (_, i) => `id:${i}`),
    ]
    for (const [i, ids] of lists.entries()) {
      const notice = { from: sender.instanceId, ids, tags: ids.toReversed(), all: i === 0 }
      await sender.session.announce(notice)
      await receiver.told(() => receiver.notices.length > i, 'the notice')
      expect(receiver.notices[i]).toEqual(notice)
    }
  })

  test('an announcement changes no entry and no flight', async () => {
    await using peers = await openPeers(source)
    const peer = await peers.join()
    await peer.session.set('x', Buffer.from('x'), 60_000)
    const token = await peer.lead('y')
    await peer.session.announce({ from: peer.instanceId, ids: ['x', 'y'], tags: [], all: false })
    await peer.notice(() => true)
    expect(await peer.session.read('x')).toBeDefined()
    expect(await peer.session.renew('y', token, 60_000)).toBe(0)
    expect(peer.messages).toEqual([])
  })
}
