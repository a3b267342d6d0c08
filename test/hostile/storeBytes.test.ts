import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { type Cache, createCache } from '../../src/index.ts'
import { redisStore } from '../../src/stores/redis/index.ts'
import { encodeMessage, encodeNotice } from '../../src/stores/redis/messages.ts'
import { createGate } from '../adapters/gate.ts'
import { traceOf } from '../adapters/trace.ts'
import { testNamespace } from '../redis/namespace.ts'
import { LIMIT, runs, send } from './fuzz.ts'
import { type GraphqlTwins, openGraphqlTwins } from './graphqlTwins.ts'
import { openTrpcTwins, type TrpcTwins } from './trpcTwins.ts'

const raw = new Redis(inject('redisUrl'))
afterAll(() => raw.disconnect())

const open: AsyncDisposable[] = []
afterAll(async () => {
  await Promise.all(open.map((each) => each[Symbol.asyncDispose]()))
})

const store = () => redisStore(inject('redisUrl'))

/** What somebody does to bytes who can write into the database, or to a connection. */
const damage = fc.array(
  fc.record({
    how: fc.constantFrom('flip', 'flip', 'cut', 'insert', 'extreme', 'zero'),
    at: fc.oneof(fc.nat(80), fc.nat()),
    by: fc.uint8Array({ minLength: 1, maxLength: 8 }),
  }),
  { maxLength: 4 },
)

function damaged(whole: Buffer, damages: readonly { how: string; at: number; by: Uint8Array }[]): Buffer {
  let bytes = Buffer.from(whole)
  for (const { how, at, by } of damages) {
    const place = bytes.length === 0 ? 0 : at % bytes.length
    if (how === 'cut') bytes = bytes.subarray(0, place)
    else if (how === 'insert') bytes = Buffer.concat([bytes.subarray(0, place), by, bytes.subarray(place)])
    else if (bytes.length > 0) {
      const changed = Buffer.from(bytes)
      if (how === 'flip') changed[place] = (changed[place] as number) ^ (by[0] as number)
      else changed.fill(how === 'zero' ? 0 : 0xff, place, Math.min(place + 8, bytes.length))
      bytes = changed
    }
  }
  return bytes
}

/** Bytes made of one of these, or of nothing of ours. */
function bytesOf(wholes: () => readonly Buffer[]): fc.Arbitrary<Buffer> {
  return fc.oneof(
    {
      weight: 6,
      arbitrary: fc.tuple(fc.nat(), damage).map(([i, how]) => damaged(wholes()[i % wholes().length] as Buffer, how)),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes)) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.nat(), fc.nat())
        .map(([i, j]) => Buffer.concat([i, j].map((n) => wholes()[n % wholes().length] as Buffer))),
    },
  )
}

describe('whatever bytes are at the key of an entry', () => {
  const VALUES = {
    plain: { a: [1, 'x', null] },
    rich: new Map([['d', new Date(0)]]),
    text: 'x'.repeat(100),
    nothing: undefined,
  }
  const entries: Buffer[] = []
  const namespace = testNamespace('bytes')
  let caches: readonly Cache[]
  beforeAll(async () => {
    const options = { namespace, store: store(), ttl: 60_000, commandTimeout: 5000, errorTtl: 60_000 }
    caches = [createCache(options), createCache({ ...options, memory: {} })]
    open.push(...caches)
    const [cache] = caches as [Cache]
    await Promise.all(caches.map((one) => one.ready()))
    for (const [name, value] of Object.entries(VALUES)) {
      await cache.set(name, value, {
        tags: name === 'plain' ? ['t', '__proto__'] : [],
        staleIfError: name === 'text' ? 5000 : 0,
      })
      entries.push((await raw.getBuffer(`${namespace}:{${name}}`)) as Buffer)
    }
    const trace = traceOf(cache)
    await expect(
      cache.getOrSet('error', () => Promise.reject(Object.assign(new Error('no'), { code: 'X' }))),
    ).rejects.toThrow('no')
    await trace.saw('publish')
    entries.push((await raw.getBuffer(`${namespace}:{error}`)) as Buffer)
  })

  test('a caller gets the value, a new one or a stored error, and never an exception of the cache', {
    timeout: LIMIT,
  }, async () => {
    let n = 0
    await fc.assert(
      fc.asyncProperty(
        bytesOf(() => entries),
        async (bytes) => {
          const key = `k${n++}`
          await raw.set(`${namespace}:{${key}}`, bytes)
          for (const cache of caches) {
            expect(await cache.has(key)).toBeTypeOf('boolean')
            await cache.getMany([key, 'plain'])
            const got = await cache.getOrSet(key, () => 'mine').catch((error: unknown) => error)
            // An error is one that stands there as such.
            if (got instanceof Error) expect(bytes.includes('error')).toBe(true)
            // What was no use is replaced: the next one has it.
            if (got === 'mine') expect(await cache.get(key)).toBe('mine')
          }
          // What others have is theirs.
          expect(await caches[0]?.get('plain')).toEqual(VALUES.plain)
          // It can be removed and replaced as ever.
          await caches[1]?.invalidate({ keys: [key] })
          expect(await caches[1]?.getOrSet(key, () => 'new')).toBe('new')
        },
      ),
      runs(150),
    )
  })

  test.each(['constructor', '__proto__', 'tostring', 'valueof', 'json.x', 'eval', '..', 'error '])(
    'a codec called %s runs nothing: it is a miss and an event',
    async (id) => {
      const [cache] = caches as [Cache]
      const [plain] = entries as [Buffer]
      const at = plain.indexOf('json')
      const bytes = Buffer.concat([
        plain.subarray(0, at - 1),
        Buffer.from([id.length]),
        Buffer.from(id),
        plain.subarray(at + 4),
      ])
      await raw.set(`${namespace}:{codec}`, bytes)
      const trace = traceOf(cache)
      expect(await cache.get('codec')).toBeUndefined()
      expect(trace.of('foreign')).toHaveLength(1)
    },
  )

  test.each([
    ['JSON', 'json', '{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}'],
    ['the rich codec', 'rich', '[{"__proto__":1,"a":1},{"admin":2},true]'],
    ['the rich codec, without a prototype', 'rich', '[["null","__proto__",1],{"admin":2},true]'],
    [
      'an error',
      'error',
      '{"name":"E","message":"m","extensions":{"__proto__":{"admin":true}},"__proto__":{"admin":true}}',
    ],
  ])('a payload of %s changes no prototype', async (_what, codec, payload) => {
    const [cache] = caches as [Cache]
    const [plain] = entries as [Buffer]
    const at = plain.indexOf('json')
    const bytes = Buffer.concat([
      plain.subarray(0, at - 1),
      Buffer.from([codec.length]),
      Buffer.from(codec),
      Buffer.from(payload),
    ])
    bytes.writeUInt32BE(0, at - 5)
    await raw.set(`${namespace}:{proto}`, bytes)
    const got = await cache.getOrSet('proto', () => ({}), {}).catch((error: unknown) => error)
    for (const one of [got, {}, [], new Error('x')]) {
      expect((one as { admin?: unknown }).admin).toBeUndefined()
    }
    expect(Object.prototype).not.toHaveProperty('admin')
    await raw.del(`${namespace}:{proto}`)
  })
})

describe('whatever bytes are at the keys of whole answers', () => {
  let graphql: GraphqlTwins
  let trpc: TrpcTwins
  const namespace = testNamespace('answers')
  beforeAll(async () => {
    graphql = await openGraphqlTwins(store(), namespace)
    trpc = await openTrpcTwins(store(), namespace, false)
    open.push(graphql, trpc)
  })

  test('a client gets an answer, and never an error of the server', { timeout: LIMIT }, async () => {
    const asks = [
      ...Object.entries(graphql.cached).map(([form, url]) => ({
        form,
        plain: graphql.plain,
        url,
        asked: {
          method: 'GET',
          path: `?query=${encodeURIComponent('{ item(id: 1) { id name } list { id } }')}`,
          headers: { accept: 'application/json' },
        },
      })),
      ...Object.entries(trpc.cached).map(([form, url]) => ({
        form,
        plain: trpc.plain,
        url,
        asked: { method: 'GET', path: '/any?input=%7B%22a%22%3A1%7D', headers: {} },
      })),
    ]
    const before = new Map<string, Buffer>()
    const expected = new Map<string, string>()
    for (const { form, plain, url, asked } of asks) {
      expected.set(form, (await send(plain, asked)).text)
      await send(url, asked)
    }
    const keys = () => raw.keys(`${namespace}-*:{*}`)
    await expect.poll(async () => (await keys()).filter((key) => key.endsWith(':flight')).length).toBe(0)
    for (const key of await keys()) before.set(key, (await raw.getBuffer(key)) as Buffer)
    expect(before.size).toBeGreaterThan(6)
    let changed = 0
    await fc.assert(
      fc.asyncProperty(
        bytesOf(() => [...before.values()]),
        damage,
        fc.boolean(),
        async (foreign, how, own) => {
          for (const [key, bytes] of before)
            await raw.set(key, own ? damaged(bytes, how) : foreign.subarray(0, own ? 0 : 30))
          for (const { form, url, asked } of asks) {
            const { status, text } = await send(url, asked)
            expect([form, status]).toEqual([form, 200])
            if (text !== expected.get(form)) changed++
            // Without a mark of ours it is a miss.
            if (!own) expect([form, text]).toEqual([form, expected.get(form)])
          }
        },
      ),
      runs(40),
    )
    console.log(`${changed} answers were changed by who can write into Redis`)
  })
})

describe('whatever is sent to the channels of an instance', () => {
  test('who waits gets what the leader has made, and nothing else', { timeout: LIMIT }, async () => {
    const namespace = testNamespace('channels')
    const options = { namespace, store: store(), ttl: 60_000, commandTimeout: 5000, leaseTtl: 60_000 }
    const [leader, follower] = [createCache(options), createCache({ ...options, memory: {} })]
    open.push(leader, follower)
    await Promise.all([leader.ready(), follower.ready()])
    const trace = traceOf(leader, follower)
    const gate = createGate()
    gate.shut()
    const load = async () => {
      await gate.pass()
      return 'made'
    }
    const asking = [leader.getOrSet('k', load)]
    await gate.holds(1)
    asking.push(follower.getOrSet('k', () => 'by the follower'))
    await trace.saw('follow')
    const token = trace.of('follow')[0]?.token as string
    const channels = (await raw.pubsub('CHANNELS', `${namespace}:inbox:*`)) as string[]
    expect(channels).toHaveLength(2)
    const forged = token.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))
    const entry = Buffer.from(`atc1${forged}`)
    const messages = [
      encodeMessage('V', forged, 'k', entry),
      encodeMessage('R', forged, 'k'),
      encodeMessage('E', forged, 'k', Buffer.from('{"name":"Error","message":"forged"}')),
      encodeMessage('V', token, 'other', entry),
      encodeMessage('V', token, 'k', entry),
      encodeMessage('V', token, 'k', Buffer.from('"forged"')),
      encodeMessage('E', token, 'k', Buffer.from('{')),
      Buffer.from(encodeNotice({ from: 'x', ids: ['k', '__proto__'], tags: ['t'], all: false })),
      Buffer.from(encodeNotice({ from: 'x', ids: [], tags: [], all: true })),
    ]
    await fc.assert(
      fc.asyncProperty(
        bytesOf(() => messages),
        async (bytes) => {
          for (const channel of [...channels, `${namespace}:bus`]) await raw.publish(channel, bytes)
          // An outcome of this very flight may come out of the changes: that it is to run its own loader, above all.
          expect(['waits', 'by the follower']).toContain(await Promise.race([asking[1], Promise.resolve('waits')]))
        },
      ),
      runs(200),
    )
    // All of it has arrived when a message of ours has.
    await leader.set('last', 1)
    await expect
      .poll(() => trace.of('invalidate').some(({ keys, remote }) => remote && keys.includes('last')))
      .toBe(true)
    gate.open()
    const [made, got] = await Promise.all(asking)
    expect(made).toBe('made')
    expect(['made', 'by the follower']).toContain(got)
    expect(await follower.get('last')).toBe(1)
  })
})

describe('whatever is in the hash of a flight', () => {
  const field = fc.oneof(
    fc.constantFrom('leader', 'leader', 'w:', 'w:x', 'w:__proto__', 'w:*', 'w:\n', 'x', ''),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  )
  const content = fc.oneof(
    fc.constantFrom('', 'x', '0', 'AAAAAAAAAAAAAAAA'),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  )

  test('callers, writes and invalidations end, at the latest after a lease', { timeout: LIMIT }, async () => {
    const namespace = testNamespace('flights')
    const cache = createCache({ namespace, store: store(), ttl: 60_000, commandTimeout: 5000, leaseTtl: 100 })
    open.push(cache)
    await cache.ready()
    let n = 0
    const way = fc.constantFrom('ask', 'set', 'tagged', 'invalidate')
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(field, content), { minLength: 1, maxLength: 5 }), way, async (fields, how) => {
        const key = `k${n++}`
        await raw.hset(`${namespace}:{${key}}:flight`, ...fields.flat())
        if (how === 'ask') expect(await cache.getOrSet(key, () => 'mine')).toBe('mine')
        if (how === 'set') expect(await cache.set(key, 'mine')).toBe(true)
        if (how === 'tagged') expect(await cache.set(key, 'mine', { tags: ['t'] })).toBe(true)
        if (how === 'invalidate') await cache.invalidate({ keys: [key] })
        expect(await cache.getOrSet(key, () => 'mine')).toBe('mine')
      }),
      runs(40),
    )
  })
})
