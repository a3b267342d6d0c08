import v8 from 'node:v8'
import { describe, expect, test } from 'vitest'
import { createCache, memoryStore } from '../../src/index.ts'
import { entryOf, LONG, newToken, openPeers, textOf, until } from './contract/peers.ts'
import { storeContract } from './contract.ts'

storeContract('memory', {
  open() {
    const store = memoryStore()
    return () => store
  },
})

const bounded = (options: Parameters<typeof memoryStore>[0]) => {
  const store = memoryStore(options)
  return { open: () => () => store }
}

describe('the bounds of the memory store', () => {
  test('the least recently used entries go first, by reads and writes, not by claims', async () => {
    await using peers = await openPeers(bounded({ maxEntries: 3 }))
    const { session } = await peers.join()
    for (const id of ['a', 'b', 'c']) await session.set(id, Buffer.from(id), LONG)
    await session.read('a')
    await session.claim('b', { token: newToken(), seen: 'none', lease: LONG })
    await session.set('d', Buffer.from('d'), LONG)
    expect((await session.readMany(['a', 'b', 'c', 'd'])).map(textOf)).toEqual(['a', undefined, 'c', 'd'])
    await session.set('c', Buffer.from('c2'), LONG)
    await session.read('a')
    await session.set('e', Buffer.from('e'), LONG)
    expect((await session.readMany(['a', 'c', 'd', 'e'])).map(textOf)).toEqual(['a', 'c2', undefined, 'e'])
  })

  test('entries of all namespaces and caches count together', async () => {
    await using peers = await openPeers(bounded({ maxEntries: 2 }))
    const [one, two] = [await peers.join(), await peers.join({ namespace: `${peers.namespace}-two` })]
    await one.session.set('a', Buffer.from('1'), LONG)
    await two.session.set('a', Buffer.from('2'), LONG)
    await two.session.set('b', Buffer.from('3'), LONG)
    expect(await one.session.read('a')).toBeUndefined()
    expect((await two.session.readMany(['a', 'b'])).map(textOf)).toEqual(['2', '3'])
  })

  test('all entries together have at most maxBytes', async () => {
    await using peers = await openPeers(bounded({ maxBytes: 10_000 }))
    const { session } = await peers.join()
    const ids = Array.from({ length: 100 }, (_, i) => `id:${i}`)
    for (const id of ids) await session.set(id, Buffer.alloc(900), LONG)
    const kept = (await session.readMany(ids)).flatMap((bytes, i) => (bytes === undefined ? [] : [ids[i]]))
    expect(kept.length).toBeGreaterThanOrEqual(9)
    expect(kept.length).toBeLessThanOrEqual(11)
    expect(kept).toEqual(ids.slice(-kept.length))
  })

  test('ids count by their bytes', async () => {
    await using peers = await openPeers(bounded({ maxBytes: 10_000 }))
    const { session } = await peers.join()
    const ids = Array.from({ length: 100 }, (_, i) => `${'漢'.repeat(80)}:${i}`)
    for (const id of ids) await session.set(id, Buffer.alloc(0), LONG)
    const kept = (await session.readMany(ids)).filter((bytes) => bytes !== undefined)
    expect(kept.length * 240).toBeLessThanOrEqual(10_000)
  })

  test('a value larger than the store is told to those who wait and not stored', async () => {
    await using peers = await openPeers(bounded({ maxBytes: 1000 }))
    const [leader, waiter] = [await peers.join(), await peers.join()]
    await leader.session.set('kept', Buffer.from('kept'), LONG)
    const token = await leader.lead('x')
    await waiter.wait('x')
    const entry = entryOf(token, Buffer.alloc(2000))
    expect(await leader.session.end('x', token, { type: 'value', entry, ttl: LONG })).toEqual({
      type: 'ok',
      stored: false,
      refused: expect.stringContaining('larger'),
    })
    expect((await waiter.message(token)).outcome).toMatchObject({ type: 'value' })
    expect((await leader.session.readMany(['x', 'kept'])).map(textOf)).toEqual([undefined, 'kept'])
  })

  test('a value larger than the store leaves the entry before it as it is, as a server without memory does', async () => {
    await using peers = await openPeers(bounded({ maxBytes: 1000 }))
    const leader = await peers.join()
    await leader.session.set('x', Buffer.from('before'), LONG)
    const token = await leader.lead('x')
    const entry = entryOf(token, Buffer.alloc(2000))
    await leader.session.end('x', token, { type: 'value', entry, ttl: LONG })
    expect(textOf(await leader.session.read('x'))).toBe('before')
  })

  test('a set larger than the store rejects and changes nothing', async () => {
    await using peers = await openPeers(bounded({ maxBytes: 1000 }))
    const [leader, waiter] = [await peers.join(), await peers.join()]
    await leader.session.set('x', Buffer.from('before'), LONG)
    const token = await leader.lead('x')
    await waiter.wait('x')
    await expect(leader.session.set('x', Buffer.alloc(2000), LONG)).rejects.toMatchObject({
      name: 'StoreError',
      code: 'REFUSED',
    })
    expect(textOf(await leader.session.read('x'))).toBe('before')
    expect(await leader.session.renew('x', token, LONG)).toBe(1)
    await peers.settle()
    expect(waiter.messages.filter(({ id }) => id === 'x')).toEqual([])
  })

  test.each([
    ['maxEntries', 0],
    ['maxEntries', -1],
    ['maxEntries', 1.5],
    ['maxEntries', Number.NaN],
    ['maxEntries', Number.POSITIVE_INFINITY],
    ['maxEntries', '10'],
    ['maxEntries', null],
    ['maxBytes', 0],
    ['maxBytes', 0.5],
    ['maxBytes', Number.NaN],
    ['maxBytes', Number.POSITIVE_INFINITY],
  ])('%s of %s is refused, by name and bound', (name, given) => {
    expect(() => memoryStore({ [name]: given })).toThrow(RangeError)
    expect(() => memoryStore({ [name]: given })).toThrow(`${name} must be an integer of at least 1, got ${given}`)
  })

  test('bounds left undefined have their defaults', async () => {
    await using peers = await openPeers(bounded({ maxEntries: undefined, maxBytes: undefined }))
    const { session } = await peers.join()
    await session.set('x', Buffer.alloc(1024 * 1024), LONG)
    expect(await session.read('x')).toHaveLength(1024 * 1024)
  })
})

describe('the flights of the memory store', () => {
  test('those of dead leaders do not pile up', async () => {
    await using peers = await openPeers(bounded({}))
    const { session } = await peers.join()
    const before = flightsIn()
    await abandon(session, 5000)
    expect(flightsIn() - before).toBeLessThan(1000)
  })

  test('those of dead leaders do not pile up behind a few that live long', async () => {
    await using peers = await openPeers(bounded({}))
    const { session, lead } = await peers.join()
    for (let i = 0; i < 20; i++) await lead(`long:${i}`)
    const before = flightsIn()
    await abandon(session, 5000)
    expect(flightsIn() - before).toBeLessThan(1000)
  })

  test('are bounded by nothing else: ten thousand live ones are all kept', async () => {
    await using peers = await openPeers(bounded({ maxEntries: 1 }))
    const { session, lead } = await peers.join()
    const ids = Array.from({ length: 10_000 }, (_, i) => `x:${i}`)
    const tokens = await Promise.all(ids.map((id) => lead(id)))
    const renewed = await Promise.all(ids.map((id, i) => session.renew(id, tokens[i] as string, LONG)))
    expect(renewed.every((waiters) => waiters === 0)).toBe(true)
  })
})

describe('caches on one memory store', () => {
  test('compute a value once between them, and keep apart by namespace', async () => {
    const store = memoryStore()
    const caches = ['one', 'one', 'one', 'two'].map((namespace) => createCache({ store, namespace, ttl: LONG }))
    let loads = 0
    const load = async () => {
      loads++
      await new Promise((resolve) => setImmediate(resolve))
      return loads
    }
    await Promise.all(caches.slice(0, 3).map((cache) => cache.getOrSet('x', load)))
    expect(loads).toBe(1)
    await caches[3]?.getOrSet('x', load)
    expect(loads).toBe(2)
    await Promise.all(caches.map((cache) => cache.close()))
  })

  test('each store has its own data', async () => {
    await using one = await openPeers(bounded({}))
    await using two = await openPeers(bounded({}))
    const namespace = 'same'
    const [here, there] = [await one.join({ namespace }), await two.join({ namespace })]
    await here.session.set('x', Buffer.from('x'), LONG)
    expect(await there.session.read('x')).toBeUndefined()
  })
})

/** Leads so many flights whose leases run out at once, in ten portions, each after the one before has run out. */
async function abandon(
  session: Awaited<ReturnType<Awaited<ReturnType<typeof openPeers>>['join']>>['session'],
  count: number,
) {
  for (let portion = 0; portion < 10; portion++) {
    const token = newToken()
    for (let i = 0; i < count / 10; i++) {
      await session.claim(`dead:${portion}:${i}`, { token, seen: 'any', lease: 1 })
    }
    await until(
      () => session.renew(`dead:${portion}:${count / 10 - 1}`, token, 1),
      (answer) => answer === 'lost',
      'the end of the last lease',
    )
  }
}

/** How many Sets live, of which every flight has one: what is not let go cannot be seen through the contract. */
function flightsIn(): number {
  return (v8 as unknown as { queryObjects(of: typeof Set, options: { format: 'count' }): number }).queryObjects(Set, {
    format: 'count',
  })
}
