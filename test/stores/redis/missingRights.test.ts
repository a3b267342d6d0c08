import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { type Cache, type CacheOptions, createCache, type StoreError } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { type Trace, traceOf } from '../../core/trace.ts'
import { testNamespace } from '../../redis/namespace.ts'
import { type RedisServer, startRedis } from '../../redis/server.ts'

/** ms that no test waits for. */
const LONG = 60_000

const server = await startRedis()
const caches: Cache[] = []
afterEach(async () => {
  await Promise.all(caches.splice(0).map((cache) => cache.close()))
})
afterAll(() => server[Symbol.asyncDispose]())

let users = 0

/** A user with all rights but for these, as ACL SETUSER takes them. */
async function userWithout(rights: string): Promise<string> {
  const name = `user${++users}`
  await grant(name, `on >secret ~* &* +@all ${rights}`)
  return name
}

async function grant(user: string, rights: string): Promise<void> {
  await server.client().acl('SETUSER', user, ...rights.split(' '))
}

function open(user: string, options: Partial<CacheOptions> = {}, { port }: RedisServer = server): Opened {
  const login = user === 'default' ? {} : { username: user, password: 'secret' }
  const cache = createCache({
    namespace: testNamespace(),
    store: redisStore({ port, ...login, enableReadyCheck: false }),
    ttl: LONG,
    commandTimeout: 10_000,
    breaker: { retryAfter: LONG },
    ...options,
  })
  caches.push(cache)
  return { cache, trace: traceOf(cache) }
}

interface Opened {
  readonly cache: Cache
  readonly trace: Trace
}

/** Misses of so many keys, each asked for by two at once; how often the loader ran. */
async function ask(cache: Cache, keys: number): Promise<number> {
  let loads = 0
  for (let i = 0; i < keys; i++) {
    const load = () => ++loads
    const [one, two] = await Promise.all([cache.getOrSet(['key', i], load), cache.getOrSet(['key', i], load)])
    expect(two).toBe(one)
  }
  return loads
}

/** How often the server refused the command, or does not know it. */
async function refusals(command: string): Promise<number> {
  const stats = await server.client().info('commandstats')
  return Number(new RegExp(`cmdstat_${command}:.*rejected_calls=(\\d+)`).exec(stats)?.[1] ?? 0)
}

function promiseOf<T>(): { promise: Promise<T>; resolve(value: T): void } {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

const missing = (trace: Trace) => trace.of('storeFault').map(({ error }) => (error as StoreError).missing)

describe('what the server’s user may not do is told once, and requests have what their loader gives', () => {
  test.each([
    ['EVAL', '-eval', 'claim', '+eval +evalsha', 'eval'],
    ['scripts', '-@scripting', 'claim', '+eval +evalsha', 'eval'],
    ['what scripts run', '-hset', 'claim', '+@read +@write +time', undefined],
    ['the keys of the namespace', 'resetkeys ~other:*', 'read', '~<namespace>:*', 'get'],
    ['GET', '-get', 'read', '+get', 'get'],
  ])('without the right to %s', async (_name, rights, op, lacks, command) => {
    const { cache, trace } = open(await userWithout(rights))
    await cache.ready()
    const before = command === undefined ? 0 : await refusals(command)
    expect(await ask(cache, 20)).toBe(20)
    expect(trace.of('storeFault')).toMatchObject([{ op, error: { code: 'REFUSED', missing: lacks } }])
    expect(String(trace.of('storeFault')[0]?.error)).toContain(`the server's user needs ${lacks}`)
    // Nor is it asked for by each request.
    if (command !== undefined) expect((await refusals(command)) - before).toBe(1)
    expect(cache.stats().breaker).toBe('closed')
  })

  test('without the right to EVALSHA, too: the first script of a connection is sent as EVAL', async () => {
    const { cache, trace } = open(await userWithout('-evalsha'))
    const before = await refusals('evalsha')
    expect(await ask(cache, 20)).toBe(20)
    expect(new Set(missing(trace))).toEqual(new Set(['+eval +evalsha']))
    expect((await refusals('evalsha')) - before).toBeLessThanOrEqual(3)
  })

  test('without the right to channels: who waits asks again and again, and gets what was computed', async () => {
    const user = await userWithout('resetchannels')
    const { cache, trace } = open(user)
    const other = open(user, { namespace: cache.namespace })
    for (const [i, key] of ['x', 'y', 'z'].entries()) {
      const { promise, resolve } = promiseOf<string>()
      const led = cache.getOrSet(key, () => promise)
      await trace.saw('lead', i + 1)
      const followed = other.cache.getOrSet(key, () => 'not this')
      await other.trace.saw('follow', i + 1)
      resolve(key)
      expect(await Promise.all([led, followed])).toEqual([key, key])
    }
    await trace.saw('storeFault')
    await other.trace.saw('storeFault')
    expect(missing(trace)).toEqual(['&<namespace>:*'])
    expect(missing(other.trace)).toEqual(['&<namespace>:*'])
    await expect(cache.invalidate({ keys: ['x'] })).rejects.toThrow("the server's user needs &<namespace>:*")
  })

  test.each([
    ['INFO', '-info', '+info'],
    ['SUBSCRIBE', '-subscribe', '+subscribe'],
  ])('without the right to %s all else works', async (_name, rights, lacks) => {
    const { cache, trace } = open(await userWithout(rights))
    expect((await trace.saw('storeFault')).op).toBe('connection')
    expect(await ask(cache, 3)).toBe(3)
    expect(await ask(cache, 3)).toBe(0)
    expect(missing(trace)).toEqual([lacks])
  })

  test('a server without scripts, where nobody listens, is one warning, with no word of what was asked for', async () => {
    const off = ['EVAL', 'EVALSHA', 'SCRIPT'].map((name) => `rename-command ${name} ""`)
    await using without = await startRedis({ config: off })
    const cache = createCache({ namespace: testNamespace(), store: redisStore(without.url), ttl: LONG })
    caches.push(cache)
    const warnings: Error[] = []
    const note = (warning: Error) => void warnings.push(warning)
    process.on('warning', note)
    await cache.ready()
    expect(await ask(cache, 20)).toBe(20)
    await expect(cache.set('secret', 'secret')).rejects.toThrow(
      "unknown command 'eval'; the server's user needs +eval +evalsha",
    )
    process.off('warning', note)
    const own = warnings.filter(({ name }) => name === 'AtomcacheWarning')
    expect(own.map(({ message }) => message)).toEqual([
      expect.stringMatching(
        /^test-\w+: the store failed in claim of .*: .*needs \+eval \+evalsha: without scripts instances do not/,
      ),
    ])
    expect(cache.stats().events.storeFault).toBe(2) // of the claims, and of `set`
    await cache.close()
  })

  test('a server without SCRIPT is as good as any', async () => {
    await using without = await startRedis({ config: ['rename-command SCRIPT ""'] })
    const { cache, trace } = open('default', {}, without)
    expect(await ask(cache, 3)).toBe(3)
    expect(await ask(cache, 3)).toBe(0)
    expect(trace.of('storeFault')).toEqual([])
  })
})

describe('without scripts', () => {
  test('what is stored is read', async () => {
    const { cache: free } = open('default')
    await free.set('x', 'stored')
    const { cache, trace } = open(await userWithout('-eval'), { namespace: free.namespace })
    expect(await ask(cache, 1)).toBe(1)
    expect(await cache.getOrSet('x', () => 'not this')).toBe('stored')
    expect(await cache.getMany(['x', 'y'])).toEqual(['stored', undefined])
    expect(trace.of('hit')).toHaveLength(2)
  })

  test('writes and invalidations reject and say why, each of them sent', async () => {
    const { cache } = open(await userWithout('-@scripting'))
    const before = await refusals('eval')
    await expect(cache.set('x', 1)).rejects.toThrow('needs +eval +evalsha')
    await expect(cache.set('x', 1)).rejects.toMatchObject({ cause: { code: 'REFUSED', missing: '+eval +evalsha' } })
    await expect(cache.invalidate({ keys: ['x'] })).rejects.toThrow('needs +eval +evalsha')
    await expect(cache.invalidate({ tags: ['x'] })).rejects.toThrow('needs +eval +evalsha')
    expect((await refusals('eval')) - before + (await refusals('evalsha'))).toBeGreaterThanOrEqual(4)
  })

  test('it asks now and then, and works from when the right is granted; taken away again that is told again', async () => {
    const user = await userWithout('-@scripting')
    const { cache, trace } = open(user, { breaker: { retryAfter: 50 } })
    const told = () => trace.of('storeFault').filter(({ op }) => op === 'claim').length
    const asked = async () => (await refusals('eval')) + (await refusals('evalsha'))
    let keys = 0
    const leads = async () => {
      const before = trace.of('lead').length
      await cache.getOrSet(['key', ++keys], () => keys)
      return trace.of('lead').length > before
    }
    expect(await leads()).toBe(false)
    const before = await asked()
    await expect.poll(async () => ((await leads()) ? 0 : (await asked()) - before)).toBeGreaterThan(3)
    expect((await asked()) - before).toBeLessThan(keys)
    expect(told()).toBe(1)
    await grant(user, '+@scripting')
    await expect.poll(leads).toBe(true)
    await grant(user, '-@scripting')
    await expect.poll(leads).toBe(false)
    await expect.poll(told).toBe(2)
  })
})
