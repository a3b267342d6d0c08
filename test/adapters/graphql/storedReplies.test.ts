import { createSchema, createYoga, type Plugin } from 'graphql-yoga'
import { describe, expect, test } from 'vitest'
import { servedResult } from '../../../src/adapters/graphql/results/served.ts'
import { responseHeaders } from '../../../src/adapters/graphql/yoga/responseHeaders.ts'
import { type Replied, storedReplies } from '../../../src/adapters/graphql/yoga/storedReplies.ts'
import { useHttpTown } from './httpTown.ts'

const { fetchAPI } = createYoga({ schema: createSchema({ typeDefs: 'type Query { a: Int }' }) })

const STORED = {
  bytes: Buffer.from('{"data":{"a":1}}'),
  etag: '"tag"',
  createdAt: 0,
  ttl: 60_000,
  said: true,
  private: false,
  noCache: false,
  extended: false,
  failed: false,
}

/** The reply of a hit after ten seconds, before other plugins see it. */
function hit(headers: Record<string, string> = {}, api: { Response: typeof Response } = fetchAPI) {
  const replies = storedReplies(responseHeaders({}, () => 10_000))
  const answer = {
    result: servedResult(STORED),
    outcome: { type: 'hit', ttl: 50_000 },
    scope: null,
    response: STORED,
    times: { createdAt: 0, ttl: 60_000, staleWhileRevalidate: 0, staleIfError: 0 },
  } as const
  const known: Replied = { asked: 1, answers: [answer] }
  const request = new fetchAPI.Request('http://shop.example/graphql?query={a}', { headers })
  const reply = replies.of(request, known, STORED, 'application/json', api)
  return { reply, complete: (response = reply) => replies.complete(request, known, response, api) }
}

function fieldsOf(response: Response) {
  return Object.fromEntries([...response.headers].map(([name, value]) => [name.toLowerCase(), value]))
}

const FIELDS = {
  'content-type': 'application/json; charset=utf-8',
  'content-length': '16',
  'cache-status': 'atomcache; hit; ttl=50',
  'cache-control': 'public, max-age=60',
  vary: 'Accept, Authorization, Cookie',
  age: '10',
  etag: '"tag"',
}

describe('a stored reply', () => {
  test('that nobody touches is made once', () => {
    const { reply, complete } = hit()
    expect(complete()).toBe(reply)
    expect(fieldsOf(reply)).toEqual(FIELDS)
  })

  test('of another implementation of fetch says the same', async () => {
    const { complete } = hit({}, globalThis)
    const response = complete()
    expect(fieldsOf(response)).toEqual(FIELDS)
    expect(await response.text()).toBe('{"data":{"a":1}}')
  })

  test('is 304 where the client has it', () => {
    const response = hit({ 'if-none-match': '"tag"' }).complete()
    const { 'content-type': _type, 'content-length': _length, ...others } = FIELDS
    expect([response.status, fieldsOf(response)]).toEqual([304, others])
  })

  test.each<[string, (response: Response) => void, object]>([
    ['a cookie', ({ headers }) => headers.append('set-cookie', 'a=b'), { 'cache-control': 'private, max-age=60' }],
    ['a field of its own', ({ headers }) => headers.set('x-served-by', 'A'), { 'x-served-by': 'A' }],
    [
      'another Cache-Control',
      ({ headers }) => headers.set('Cache-Control', 'no-store'),
      { 'cache-control': 'no-store' },
    ],
    ['another tag', ({ headers }) => headers.set('ETag', '"own"'), { etag: '"own"' }],
    [
      'more of Vary',
      ({ headers }) => headers.append('Vary', 'Origin'),
      { vary: 'Origin, Accept, Authorization, Cookie' },
    ],
    [
      'its own Cache-Status',
      ({ headers }) => headers.set('Cache-Status', 'inner; hit'),
      { 'cache-status': 'inner; hit, atomcache; hit; ttl=50' },
    ],
    [
      'a Cache-Status behind ours',
      ({ headers }) => headers.append('cache-status', 'cdn; hit'),
      { 'cache-status': 'cdn; hit, atomcache; hit; ttl=50' },
    ],
    ['a coding', ({ headers }) => headers.set('content-encoding', 'gzip'), { etag: 'W/"tag"' }],
  ])('into which a plugin writes %s', (_what, write, fields) => {
    for (const api of [fetchAPI, globalThis]) {
      const { reply, complete } = hit({}, api)
      write(reply)
      expect(fieldsOf(complete())).toMatchObject({ ...FIELDS, ...fields })
    }
  })

  test('in whose place a plugin puts a copy', () => {
    for (const { Response, Headers } of [fetchAPI, globalThis]) {
      const { reply, complete } = hit()
      const copy = new Response('other', { headers: new Headers(reply.headers) })
      copy.headers.set('content-encoding', 'gzip')
      expect(fieldsOf(complete(copy))).toMatchObject({ ...FIELDS, etag: 'W/"tag"' })
    }
  })

  test.each([
    ['with its fields', (headers: Headers) => headers],
    [
      'with its fields, and a Cache-Status behind ours',
      (headers: Headers) => {
        headers.append('Cache-Status', 'cdn; hit')
        return headers
      },
    ],
    ['with fields of its own', () => new fetchAPI.Headers({ 'content-type': 'application/json' })],
  ])('in whose place a plugin puts another body, %s, is not ours any more', (_how, fieldsFor) => {
    for (const { Response, Headers } of [fetchAPI, globalThis]) {
      for (const request of [{}, { 'if-none-match': '"tag"' }] as Record<string, string>[]) {
        const { reply, complete } = hit(request)
        const { etag, ...fields } = fieldsOf(
          complete(new Response('{}', { headers: fieldsFor(new Headers(reply.headers)) })),
        )
        expect(etag).toBeUndefined()
        expect(fields['cache-control']).toBe('private, no-cache')
        expect(fields['cache-status']?.match(/atomcache/g)).toHaveLength(1)
      }
    }
  })
})

/** A plugin that looks into results, and changes nothing. */
const looks: Plugin = {
  onExecute: () => ({
    onExecuteDone({ result }) {
      expect(result).toHaveProperty('data.weather')
    },
  }),
}

describe.each([
  ['parsed first', undefined, []],
  ['looked at', undefined, [looks]],
  ['answered early', { session: () => null }, []],
])('a plugin that stands before the cache, in answers that are %s', (_how, early, after) => {
  const open = useHttpTown()
  const QUERY = '{ weather }'

  async function answersWith(onResponse: NonNullable<Plugin['onResponse']>) {
    const plugin = { session: () => null, ...(early === undefined ? {} : { early }) }
    const { sites, trace } = await open({ before: [{ onResponse }], plugin, after })
    const answers = [await sites[0].get(QUERY, { authorization: 'ann' })]
    await trace.saw('publish')
    for (const user of ['bob', 'cid', 'dan']) answers.push(await sites[0].get(QUERY, { authorization: user }))
    expect(trace.of('hit')).toHaveLength(3)
    return answers
  }

  test('may put another body in place: it has no tag, and no cache keeps it for others', async () => {
    const answers = await answersWith(async ({ request, response, setResponse, fetchAPI }) => {
      const text = (await response.text()).replace('}}', `},"user":"${request.headers.get('authorization')}"}`)
      const headers = new fetchAPI.Headers(response.headers)
      headers.set('content-length', String(Buffer.byteLength(text)))
      setResponse(new fetchAPI.Response(text, { status: response.status, headers }))
    })
    expect(answers.map(({ text }) => JSON.parse(text).user)).toEqual(['ann', 'bob', 'cid', 'dan'])
    for (const { headers } of answers) {
      expect(headers).toMatchObject({ 'cache-control': 'private, no-cache' })
      expect(headers.etag).toBeUndefined()
      expect(headers['cache-status']?.match(/atomcache/g)).toHaveLength(1)
    }
  })

  test('may add itself to Cache-Status: we are in it once', async () => {
    const answers = await answersWith(({ response }) => response.headers.append('Cache-Status', 'cdn; fwd=miss'))
    for (const { headers } of answers) {
      expect(headers['cache-status']).toMatch(/^cdn; fwd=miss, atomcache; (?:hit|fwd=miss; stored); ttl=\d+$/)
      expect(headers).toMatchObject({
        'cache-control': expect.stringMatching(/^public, max-age=\d+$/),
        etag: expect.any(String),
      })
    }
  })
})
