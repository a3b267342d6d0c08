import { createRequire } from 'node:module'
import { Cluster } from 'ioredis'
import { Cluster as Cluster5 } from 'ioredis5'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { namesOf } from '../../../src/stores/redis/keys.ts'
import { sharedCluster } from '../../redis/sharedCluster.ts'
import { IDS } from '../contract/ids.ts'
import { entryOf, LONG, newToken, openPeers, textOf } from '../contract/peers.ts'
import { invalidate, store } from '../contract/tagged.ts'

/** How each version finds the slot of a key. */
const requireHere = createRequire(import.meta.url)
const slotFunctionOf = (version: string): ((key: string) => number) =>
  createRequire(requireHere.resolve(version))('cluster-key-slot')

let client: Cluster
let client5: Cluster5
beforeAll(async () => {
  const nodes = await sharedCluster()
  client = new Cluster(nodes)
  client5 = new Cluster5(nodes)
})
afterAll(() => {
  client.disconnect()
  client5.disconnect()
})

const open = () => openPeers({ open: () => () => redisStore(client) })

describe('the keys of odd names', () => {
  test.each(['ioredis', 'ioredis5'])('are in one slot, the one where %s looks for them', async (version) => {
    const route = slotFunctionOf(version)
    const names = namesOf('shop:v1')
    const [node] = client.nodes('master')
    for (const name of IDS) {
      const keys = [names.entry(name), names.flight(name), names.index(name), names.state(name)]
      const slots = await Promise.all(keys.map((key) => node?.cluster('KEYSLOT', key)))
      expect(new Set(slots).size, name).toBe(1)
      for (const key of keys) expect(route(key), key).toBe(slots[0])
    }
  })

  test('of one namespace are spread over all masters', async () => {
    await using peers = await open()
    const { session } = await peers.join()
    const names = namesOf(peers.namespace)
    const ids = Array.from({ length: 60 }, (_, i) => `x:${i}`)
    await Promise.all(ids.map((id) => store(session, id, [id])))
    const counts = await Promise.all(
      client.nodes('master').map(async (node) => (await node.keys(`${names.pattern}`)).length),
    )
    expect(counts).toHaveLength(3)
    expect(Math.min(...counts)).toBeGreaterThan(5)
    expect(counts.reduce((sum, count) => sum + count)).toBe(120)
  })

  test('are where an invalidation of another client finds them, whichever version wrote them', async () => {
    await using peers = await openPeers({ open: () => () => redisStore(client5) })
    const names = namesOf(peers.namespace)
    const { session } = await peers.join()
    const other = await (await open()).join({ namespace: peers.namespace })
    for (const name of ['', '{}', '}', '{a}b', '%', '%7B', 'é}{']) {
      await store(session, name, [name])
      expect(await client.exists(names.entry(name)), name).toBe(1)
      await invalidate(other.session, name)
      expect(await session.read(name), name).toBeUndefined()
      expect(await client.exists(names.index(name)), name).toBe(0)
    }
    await other.session.close()
  })
})

describe('a message in a cluster', () => {
  const INLINE = 16 * 1024

  test.each([1, 3])('holds the value up to 16 KiB for all of %d waiters together', async (count) => {
    await using peers = await open()
    const leader = await peers.join()
    const waiters = []
    for (let i = 0; i < count; i++) waiters.push(await peers.join())
    const largest = Math.floor(INLINE / count)
    for (const [size, outcome, share] of [
      [largest, 'value', 'value'],
      [largest + 1, 'ready', 'alone'],
      [2 * 1024 * 1024, 'ready', 'alone'],
    ] as const) {
      for (const type of ['value', 'share'] as const) {
        const token = await leader.lead('x')
        for (const waiter of waiters) await waiter.wait('x')
        const entry = Buffer.alloc(size, `atc1${token}`)
        const ended = await leader.session.end(
          'x',
          token,
          type === 'value' ? { type, entry, ttl: LONG } : { type, entry },
        )
        expect(ended).toEqual({ type: 'ok', stored: type === 'value' })
        for (const waiter of waiters) {
          const told = (await waiter.message(token)).outcome
          expect(told.type).toBe(type === 'value' ? outcome : share)
          if (told.type === 'value') expect(textOf(told.entry) === textOf(entry)).toBe(true)
          else if (told.type === 'ready') expect(textOf(await waiter.session.read('x')) === textOf(entry)).toBe(true)
        }
      }
    }
  })

  test('errors of any size are told, as on a single server', async () => {
    await using peers = await open()
    const [leader, waiter] = [await peers.join(), await peers.join()]
    const token = await leader.lead('x')
    await waiter.wait('x')
    const error = Buffer.alloc(INLINE * 2, 'e')
    await leader.session.end('x', token, { type: 'error', error })
    expect((await waiter.message(token)).outcome).toEqual({ type: 'error', error })
  })
})

describe('keys of many slots in one call', () => {
  test('are read, removed and listed, in order', async () => {
    await using peers = await open()
    const [{ session }, waiter] = [await peers.join(), await peers.join()]
    const ids = Array.from({ length: 300 }, (_, i) => `x:${i}`)
    await Promise.all(ids.map((id) => session.set(id, Buffer.from(id), LONG)))
    expect((await session.readMany(ids)).map(textOf)).toEqual(ids)
    const token = await waiter.lead('x:7')
    await waiter.wait('x:7')
    expect(await session.index('x:7', ids, LONG)).toBe(0)
    await session.remove(ids)
    expect((await waiter.message(token)).outcome).toEqual({ type: 'again' })
    expect(await session.readMany(ids)).toEqual(ids.map(() => undefined))
    expect(await session.end('x:7', token, { type: 'value', entry: entryOf(newToken()), ttl: LONG })).toEqual({
      type: 'fenced',
    })
  })
})

describe('where the clock of a cluster cannot be read', () => {
  test('claims lead without it, takes and steps reject, and who led before leads still', async () => {
    await using peers = await open()
    const [{ session, lead }, waiter] = [await peers.join(), await peers.join()]
    const token = await lead('x')
    await waiter.wait('x')
    const { clock } = namesOf(peers.namespace)
    await client.del(clock)
    await client.rpush(clock, 'a list')
    expect(await session.claim('y', { token: newToken(), seen: 'none', lease: LONG })).toEqual({
      type: 'lead',
      present: 'none',
      clock: undefined,
    })
    await expect(session.take('x', newToken(), LONG)).rejects.toMatchObject({ name: 'StoreError', code: 'WRONG_TYPE' })
    await expect(session.step()).rejects.toMatchObject({ name: 'StoreError', code: 'WRONG_TYPE' })
    expect(await session.renew('x', token, LONG)).toBe(1)
    expect(await client.lrange(clock, 0, -1)).toEqual(['a list'])
    await client.del(clock)
    expect(await session.take('x', newToken(), LONG)).toBeLessThan(await session.step())
  })
})
