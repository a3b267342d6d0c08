import { Buffer } from 'node:buffer'
import { initTRPC } from '@trpc/server'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import { afterAll, describe, expect, test } from 'vitest'
import { cached, publicQueries } from '../../../src/adapters/trpc/index.ts'
import { publicAnswerCodec } from '../../../src/adapters/trpc/public/answer.ts'
import { json, rich } from '../../../src/core/codec.ts'
import { encodeEntry, NO_WINDOWS } from '../../../src/core/entry.ts'
import { createCache } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { testNamespace } from '../../redis/namespace.ts'
import { startRedis } from '../../redis/server.ts'
import { serveHttp } from '../http.ts'
import { traceOf } from '../trace.ts'

const redis = await startRedis()
afterAll(() => redis[Symbol.asyncDispose]())

const t = initTRPC.create()
const answer = { bytes: Buffer.from('{}'), etag: '"tag"', type: 'application/json', createdAt: Date.now(), ttl: 60_000 }
const encode = (value: unknown) => publicAnswerCodec.encode(value) as Uint8Array
const later = new Uint8Array(18).fill(255)

/** What somebody else may have written in the place of a public answer: its codec, and its bytes. */
const HOSTILE: [what: string, codec: string, payload: Uint8Array][] = [
  ['nothing', publicAnswerCodec.id, new Uint8Array()],
  ['too few bytes', publicAnswerCodec.id, encode(answer).subarray(0, 17)],
  ['lengths beyond its end', publicAnswerCodec.id, later],
  ['times that are no numbers', publicAnswerCodec.id, encode({ ...answer, createdAt: Number.NaN })],
  ['a time before all', publicAnswerCodec.id, encode({ ...answer, ttl: -1 })],
  ['HTML', publicAnswerCodec.id, encode({ ...answer, type: 'text/html' })],
  ['a type with another field in it', publicAnswerCodec.id, encode({ ...answer, type: 'application/json\r\na: b' })],
  ['a tag with another field in it', publicAnswerCodec.id, encode({ ...answer, etag: '"a"\r\na: b' })],
  ['HTML, by another codec', rich.id, rich.encode({ ...answer, type: 'text/html' }) as Uint8Array],
  ['a text for bytes', json.id, json.encode({ ...answer, bytes: 'text' }) as Uint8Array],
  ['null', json.id, json.encode(null) as Uint8Array],
]

describe('in the place of a public answer', () => {
  test.each(HOSTILE)('%s is never served: the procedure is asked', async (_what, codec, payload) => {
    const namespace = testNamespace('entries')
    await using cache = createCache({ store: redisStore(redis.url), namespace })
    await cache.ready()
    const router = t.router({ open: t.procedure.use(cached({ cache, scope: null, ttl: 60_000 })).query(() => 'open') })
    await using server = await serveHttp(
      publicQueries({ cache, router, paths: ['open'] }).node(createHTTPHandler({ router })),
    )
    const trace = traceOf(cache)
    const ask = async () => {
      const response = await fetch(`${server.url}/open`)
      return [response.status, response.headers.get('content-type'), await response.json()]
    }
    const first = await ask()
    await trace.saw('publish', 2)
    const client = redis.client()
    const [key = ''] = (await client.keys('*')).filter(
      (name) => name.startsWith(namespace) && name.includes('"public"'),
    )
    const header = { stamp: 'A'.repeat(16), codec, createdAt: Date.now(), ttl: 60_000, ...NO_WINDOWS, tags: [] }
    await client.set(key, Buffer.from(encodeEntry(header, payload)))
    expect(await ask()).toEqual(first)
    expect(first).toEqual([200, 'application/json', { result: { data: 'open' } }])
  })
})
