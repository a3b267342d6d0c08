import { expect, it } from 'vitest'
import type { Cache, LeaderClaim } from '../../src/index.ts'
import { onEveryStore } from './everyStore.ts'
import { gatedStore } from './gates.ts'
import { createOrigin } from './origin.ts'

onEveryStore((service) => {
  it('after two flights in a row without an outcome a follower runs its loader', async () => {
    const gates = gatedStore(service.store)
    const [a, b] = [await service.open(), await service.open({ store: gates })]
    let leader = await lead(a.cache)
    const call = b.cache.getOrSet('key', () => 'own')
    for (const nth of [1, 2]) {
      await b.trace.saw('follow', nth)
      // Somebody else is faster each time.
      const next = gates.before('claim')
      await leader.release()
      await next.reached
      leader = await lead(a.cache)
      next.open()
    }
    expect(await call).toBe('own')
    expect(b.trace.types).toEqual(['miss', 'follow', 'followed', 'follow', 'followed', 'alone'])
    expect(b.trace.of('followed').map(({ outcome }) => outcome)).toEqual(['again', 'again'])
    expect(b.trace.of('alone')[0]?.reason).toBe('fruitless')
    expect(await leader.publish('led')).toBe(true)
  })

  it('a value that is too large for a message is read', async () => {
    const [a, b] = [await service.open(), await service.open()]
    const origin = createOrigin()
    const led = a.cache.getOrSet('key', origin.load)
    const run = await origin.started()
    const followed = b.cache.getOrSet('key', origin.load)
    await b.trace.saw('follow')
    const value = 'x'.repeat(2 * 1024 * 1024)
    run.finish(value)
    expect(await led).toBe(value)
    expect(await followed).toBe(value)
    expect((await b.trace.saw('followed')).outcome).toBe(service.store.name === 'redis' ? 'ready' : 'value')
    expect(origin.runs).toHaveLength(1)
  })

  it('a message that overtakes the reply to the claim is not lost', async () => {
    const gates = gatedStore(service.store)
    const [a, b] = [await service.open(), await service.open({ store: gates })]
    const leader = await lead(a.cache)
    const reply = gates.after('claim')
    const followed = b.cache.getOrSet('key', () => 'own')
    await reply.reached
    await leader.publish('led')
    // What B hears after the message: by then that has come.
    await a.cache.set('other', 1)
    await b.trace.saw('invalidate')
    reply.open()
    expect(await followed).toBe('led')
    expect(b.trace.types).toEqual(['miss', 'invalidate', 'follow', 'followed'])
  })

  it('a value that came between the read and the claim is taken', async () => {
    const gates = gatedStore(service.store)
    const [a, b] = [await service.open(), await service.open({ store: gates })]
    const claim = gates.before('claim')
    const call = b.cache.getOrSet('key', () => 'own')
    await claim.reached
    await a.cache.set('key', 'set')
    claim.open()
    expect(await call).toBe('set')
    expect(b.trace.of('lead')).toEqual([])
  })

  it("the first caller's loader and options count for all that join it", async () => {
    const { cache, trace } = await service.open()
    const [first, second] = [createOrigin(), createOrigin()]
    const opener = cache.getOrSet('key', first.load, { ttl: 5000 })
    const run = await first.started()
    const joiner = cache.getOrSet('key', second.load, { ttl: 50_000 })
    await trace.saw('join')
    run.finish('first')
    expect(await Promise.all([opener, joiner])).toEqual(['first', 'first'])
    expect(second.runs).toHaveLength(0)
    await trace.saw('publish')
    expect((await cache.entry('key'))?.ttl).toBeLessThanOrEqual(5000)
  })
})

async function lead(cache: Cache): Promise<LeaderClaim<string>> {
  const claimed = await cache.claim<string>('key')
  if (claimed.role !== 'leader') throw new Error(`the claim's role is ${claimed.role}`)
  return claimed
}
