import type { ExecutionArgs } from 'graphql'
import type { Plugin } from 'graphql-yoga'
import { describe, expect, test } from 'vitest'
import { structuredList } from '../http/structuredList.ts'
import { type HttpAnswer, pathOf, useHttpTown } from './httpTown.ts'

const open = useHttpTown()
/** Real seconds pass: those that HTTP counts in. */
const LONG = { timeout: 15_000, interval: 100 }
const ANN = { authorization: 'ann' }

describe('Cache-Control', () => {
  test('is private, no-cache where nobody said more, with and without a session, on misses and hits', async () => {
    const { sites } = await open()
    for (const site of sites) {
      for (const headers of [{}, ANN]) {
        expect((await site.get('{ news }', headers)).headers['cache-control']).toBe('private, no-cache')
      }
    }
  })

  test.each([
    ['a directive', '{ weather }', {}, 'public, max-age=60'],
    ['the least of the directives', '{ tides weather }', {}, 'public, max-age=60'],
    ['a ttl of the store', '{ news }', { ttlPerSchemaCoordinate: { 'Query.news': 30_500 } }, 'private, no-cache'],
    ['a ttl of the store below the policy', '{ weather }', { ttlPerType: { Query: 30_500 } }, 'public, max-age=30'],
    ['a hint of a resolver', '{ hinted(maxAge: 20) }', {}, 'public, max-age=20'],
    ['http.maxAge', '{ news }', { http: { maxAge: 90 } }, 'public, max-age=90'],
    ['http.maxAge below the policy', '{ tides }', { http: { maxAge: 90 } }, 'public, max-age=90'],
    ['a policy below http.maxAge', '{ weather }', { http: { maxAge: 90 } }, 'public, max-age=60'],
    [
      'the ttl of what is stored, below http.maxAge',
      '{ news }',
      { ttl: 30_000, http: { maxAge: 90 } },
      'public, max-age=30',
    ],
    ['http.maxAge of 0', '{ weather }', { http: { maxAge: 0 } }, 'private, no-cache'],
    [
      'a policy of less than a second',
      '{ news }',
      { ttlPerSchemaCoordinate: { 'Query.news': 900 } },
      'private, no-cache',
    ],
    [
      'http.staleWhileRevalidate, with a policy',
      '{ weather }',
      { http: { staleWhileRevalidate: 10 } },
      'public, max-age=60, stale-while-revalidate=10',
    ],
    ['http.staleWhileRevalidate alone', '{ news }', { http: { staleWhileRevalidate: 10 } }, 'private, no-cache'],
    [
      'a ttl without end',
      '{ news }',
      { ttl: Number.POSITIVE_INFINITY, http: { maxAge: Number.POSITIVE_INFINITY } },
      'public, max-age=2147483648',
    ],
  ])('allows what is said by %s', async (_what, query, plugin, expected) => {
    const { sites } = await open({ plugin })
    const { status, headers } = await sites[0].get(query)
    // A part of a second has passed.
    const less = expected.replace(/(?<=max-age=)\d+/, (seconds) => String(Number(seconds) - 1))
    expect([status, [expected, less]]).toEqual([200, expect.arrayContaining([headers['cache-control']])])
  })

  test.each(['{ weather }', '{ mine }', '{ weather mine }'])('is private with a session: %s', async (query) => {
    const { sites } = await open({ plugin: { http: { maxAge: 30 } } })
    for (const site of sites) {
      const { headers } = await site.get(query, ANN)
      expect(headers['cache-control']).toMatch(/^private, max-age=(29|30|31)$/)
      expect(headers.vary).toBe('Accept, Authorization, Cookie')
    }
  })

  test.each([
    ['errors', '{ fails }', {}],
    ['ttl 0', '{ never weather }', {}],
    ['what is private without a session', '{ mine }', {}],
    ['a session that is not known', '{ weather }', { session: () => undefined }],
  ])('is no-store for what is not stored: %s', async (_what, query, plugin) => {
    const { sites } = await open({ plugin: { http: { maxAge: 60 }, ...plugin } })
    for (const site of [...sites, ...sites]) {
      const { headers } = await site.get(query)
      expect([headers['cache-control'], headers.etag, headers.age]).toEqual(['no-store', undefined, undefined])
    }
  })

  test('is no-store for an answer in parts', async () => {
    const { sites } = await open({ plugin: { http: { maxAge: 60 } } })
    const { headers } = await sites[0].get('{ letters @stream }', { accept: 'multipart/mixed' })
    expect(headers['content-type']).toContain('multipart/mixed')
    expect([headers['cache-control'], headers.etag, headers.age]).toEqual(['no-store', undefined, undefined])
  })

  test('is not said of mutations, nor where the cache is off', async () => {
    const { sites } = await open({ plugin: { enabled: (request) => !request.url.includes('off') } })
    const mutation = await sites[0].post({ query: 'mutation { write }' })
    expect(mutation.headers).not.toHaveProperty('cache-control')
    expect(mutation.headers).not.toHaveProperty('vary')
    const off = await sites[0].send('GET', `${pathOf('{ weather }')}&off`, { accept: 'application/json' })
    for (const name of ['cache-control', 'vary', 'age', 'etag']) expect(off.headers).not.toHaveProperty(name)
  })

  test('of a plugin’s own stays, on misses and hits', async () => {
    const { sites } = await open({ before: [tells({ 'Cache-Control': 'no-store' })] })
    for (const site of sites) expect((await site.get('{ weather }')).headers['cache-control']).toBe('no-store')
  })

  test('that comes with the result stays; who gets that from the cache is not told to keep more', async () => {
    const { sites, trace } = await open({
      plugin: { http: { maxAge: 60 } },
      before: [inner({ 'cache-control': 'no-store' })],
    })
    expect((await sites[0].get('{ weather }')).headers['cache-control']).toBe('no-store')
    await trace.saw('publish')
    expect((await sites[1].get('{ weather }')).headers).toMatchObject({
      'cache-control': 'private, no-cache',
      'cache-status': expect.stringContaining('hit'),
    })
  })

  test.each<[string, { before?: Plugin[]; after?: Plugin[] }]>([
    ['the response', { before: [tells({ 'Set-Cookie': 'id=1' })] }],
    ['the result', { after: [outer({ 'Set-Cookie': 'id=1' })] }],
  ])('is private where %s sets a cookie, which a shared cache would give to others', async (_what, plugins) => {
    const { sites, trace } = await open(plugins)
    await sites[0].get('{ weather }')
    await trace.saw('publish')
    const { headers } = await sites[1].get('{ weather }')
    expect(headers).toMatchObject({ 'set-cookie': 'id=1', 'cache-status': expect.stringContaining('hit') })
    expect(headers['cache-control']).toMatch(/^private/)
  })
})

describe('Age', () => {
  test('and max-age say together what is left, on both servers, in a 304 too', async () => {
    const { sites, trace } = await open({ plugin: { http: { maxAge: 90 } } })
    const first = await sites[0].get('{ weather }')
    // It was made for this request (RFC 9111 §5.1).
    expect(first.headers).not.toHaveProperty('age')
    await trace.saw('publish')
    const age = async () => Number((await sites[1].get('{ weather }')).headers.age)
    await expect.poll(age, LONG).toBeGreaterThan(1)
    for (const site of sites) {
      for (const headers of [{}, { 'if-none-match': '*' }]) {
        const answer = await site.get('{ weather }', headers)
        expect(leftOf(answer)).toBe(ttlOf(answer))
        expect(leftOf(answer) + Number(answer.headers.age)).toBeLessThanOrEqual(60)
      }
    }
  })

  test('with http.maxAge: it counts from each answer on, and ends with what is stored', async () => {
    const { sites, trace } = await open({ plugin: { ttl: 8_000, http: { maxAge: 5 } } })
    await sites[0].get('{ news }')
    await trace.saw('publish')
    const answer = () => sites[1].get('{ news }')
    await expect.poll(async () => Number((await answer()).headers.age), LONG).toBeGreaterThan(0)
    const soon = await answer()
    expect(leftOf(soon)).toBe(Math.min(5, ttlOf(soon)))
    await expect.poll(async () => ttlOf(await answer()), LONG).toBeLessThan(5)
    const late = await answer()
    expect(leftOf(late)).toBe(ttlOf(late))
  })

  test('is there for who waited for another’s answer', async () => {
    const { sites, gate, trace } = await open()
    gate.shut()
    const asking = sites.map((site) => site.get('{ weather }'))
    await Promise.all([trace.saw('follow'), gate.holds(1)])
    gate.open()
    const answers = await Promise.all(asking)
    expect(answers.map(({ headers }) => headers.age).sort()).toEqual([expect.stringMatching(/^[01]$/), undefined])
  })
})

describe('Vary', () => {
  test.each([
    ['what tells sessions apart', {}, {}, 'Accept, Authorization, Cookie'],
    ['Accept, where all is the same for everybody', { vary: [] }, {}, 'Accept'],
    ['what http.vary names', { vary: ['Accept-Language', 'accept'] }, {}, 'Accept, Accept-Language'],
    [
      'what CORS says',
      { vary: ['Accept-Language'] },
      { origin: 'http://a.example' },
      'Origin, Accept, Accept-Language',
    ],
    ['everything', { vary: ['*'] }, { origin: 'http://a.example' }, '*'],
  ])('has %s', async (_what, http, headers, expected) => {
    const { sites } = await open({ plugin: { http } })
    for (const site of sites) expect((await site.get('{ weather }', headers)).headers.vary).toBe(expected)
  })

  test('keeps what came with the result, beside CORS', async () => {
    const { sites } = await open({ after: [outer({ Vary: 'X-Shop' })] })
    for (const site of sites) {
      const { headers } = await site.get('{ weather }', { origin: 'http://a.example' })
      expect(headers.vary?.split(', ').sort()).toEqual(['Accept', 'Authorization', 'Cookie', 'Origin', 'X-Shop'])
    }
  })
})

describe('Cache-Status', () => {
  test('says miss and stored, then hit with what is left', async () => {
    const { sites, trace } = await open()
    expect(statusOf(await sites[0].get('{ weather }'))).toEqual({ fwd: 'miss', stored: true, ttl: 60 })
    await trace.saw('publish')
    for (const site of sites)
      expect(statusOf(await site.get('{ weather }'))).toEqual({ hit: true, ttl: expect.any(Number) })
  })

  test('says who waited for another’s answer', async () => {
    const { sites, gate, trace } = await open()
    gate.shut()
    const asking = sites.map((site) => site.get('{ weather }'))
    await Promise.all([trace.saw('follow'), gate.holds(1)])
    gate.open()
    const said = (await Promise.all(asking)).map(statusOf)
    expect(said).toContainEqual({ fwd: 'miss', stored: true, ttl: 60 })
    expect(said).toContainEqual({ fwd: 'miss', collapsed: true, ttl: expect.any(Number) })
  })

  test.each([
    ['{ news }', { ttlPerSchemaCoordinate: { 'Query.news': 0 } }, { fwd: 'bypass', detail: 'ttl 0' }],
    ['{ never }', {}, { fwd: 'miss' }],
    ['{ weather }', { session: () => undefined }, { fwd: 'bypass', detail: 'no session' }],
    ['{ weather }', { enabled: () => false }, { fwd: 'bypass', detail: 'disabled' }],
    ['{ fails }', {}, { fwd: 'miss' }],
    ['mutation { write }', {}, { fwd: 'method' }],
  ])('of %s with %o is %o', async (query, plugin, expected) => {
    const { sites } = await open({ plugin })
    expect(statusOf(await sites[0].post({ query }))).toEqual(expected)
  })

  test('says on the second time that the first was for nobody else', async () => {
    const { sites } = await open()
    await sites[0].get('{ mine }')
    expect(statusOf(await sites[0].get('{ mine }'))).toEqual({ fwd: 'bypass', detail: 'uncacheable' })
  })

  test('comes after that of a cache nearer to the origin', async () => {
    const { sites } = await open({ before: [tells({ 'Cache-Status': 'origin; fwd=miss' })] })
    expect((await sites[0].get('{ weather }')).headers['cache-status']).toMatch(
      /^origin; fwd=miss, atomcache; fwd=miss/,
    )
  })
})

describe('other answers have none of it', () => {
  test.each<[string, string, string, Record<string, string>, number]>([
    ['GraphiQL', 'GET', '/graphql', { accept: 'text/html' }, 200],
    ['the health check', 'GET', '/health', {}, 200],
    ['another method', 'PUT', '/graphql', {}, 405],
    ['a mutation by GET', 'GET', pathOf('mutation { write }'), { accept: 'application/json' }, 405],
    [
      'a preflight',
      'OPTIONS',
      '/graphql',
      { origin: 'http://a.example', 'access-control-request-method': 'POST' },
      204,
    ],
    ['what does not parse', 'GET', pathOf('{'), { accept: 'application/graphql-response+json' }, 400],
    ['what is not valid', 'GET', pathOf('{ nothing }'), { accept: 'application/graphql-response+json' }, 400],
    ['nothing', 'GET', '/graphql', { accept: 'application/graphql-response+json' }, 400],
    ['another path', 'GET', '/other', {}, 404],
  ])('%s', async (_what, method, path, headers, status) => {
    const { sites } = await open({ plugin: { http: { maxAge: 60, vary: ['X-Any'] } } })
    const answer = await sites[0].send(method, path, { ...headers, 'if-none-match': '*' })
    expect(answer.status).toBe(status)
    for (const name of ['cache-control', 'cache-status', 'age', 'etag']) expect(answer.headers).not.toHaveProperty(name)
    expect(answer.headers.vary ?? '').not.toContain('X-Any')
  })
})

test('without an HTTP request, as with graphql-ws, the cache answers all the same', async () => {
  const { sites, runs, trace } = await open()
  const first = await sites[0].execute('{ news }')
  await trace.saw('publish')
  expect([first, await sites[1].execute('{ news }')].map((result) => JSON.parse(JSON.stringify(result)))).toEqual([
    { data: { news: 'news 1 for nobody' } },
    { data: { news: 'news 1 for nobody' } },
  ])
  expect(runs).toEqual(['news'])
})

describe('http', () => {
  test.each([
    [{ maxAge: -1 }, RangeError, 'http.maxAge must be at least 0 (s), got -1'],
    [{ staleWhileRevalidate: Number.NaN }, RangeError, 'http.staleWhileRevalidate must be at least 0 (s), got NaN'],
    [{ vary: ['a b'] }, TypeError, 'http.vary must be a list of header names'],
    [{ staleIfError: -1 }, RangeError, 'http.staleIfError must be at least 0 (s), got -1'],
    [{ vary: ['a\r\nb'] }, TypeError, 'http.vary must be a list of header names'],
    [{ honorRequest: 1 }, TypeError, 'http.honorRequest must be true or false, got 1'],
    [{ maxage: 1 }, TypeError, 'http has no option "maxage"'],
    [7, TypeError, 'http must be an object of options'],
  ])('%o is refused', async (http, error, message) => {
    const failure = await open({ plugin: { http: http as object } }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(error)
    expect((failure as Error).message).toContain(message)
  })
})

function leftOf({ headers }: HttpAnswer): number {
  return Number(/max-age=(\d+)/.exec(headers['cache-control'] ?? '')?.[1]) - Number(headers.age ?? 0)
}

function ttlOf(answer: HttpAnswer): number {
  return Number(statusOf(answer).ttl)
}

/** Our member of the field. */
function statusOf({ headers }: HttpAnswer): Record<string, unknown> {
  const [member] = structuredList(headers['cache-status'] ?? '')
  return Object.fromEntries(
    Object.entries(member?.parameters ?? {}).map(([name, value]) => [
      name,
      typeof value === 'object' ? value.name : value,
    ]),
  )
}

/** Sets headers of every response. */
function tells(headers: Record<string, string>): Plugin {
  return {
    onResponse({ response }) {
      for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
    },
  }
}

/** A plugin that the cache calls: it sees what is executed. */
function inner(headers: Record<string, string>): Plugin {
  return {
    onExecute({ executeFn, setExecuteFn }) {
      setExecuteFn(async (args: ExecutionArgs) => ({ ...(await executeFn(args)), extensions: { http: { headers } } }))
    },
  }
}

/** A plugin that sees every result, from the cache or not. */
function outer(headers: Record<string, string>): Plugin {
  return {
    onExecute: () => ({
      onExecuteDone: ({ result }) => void Object.assign(result, { extensions: { http: { headers } } }),
    }),
  }
}
