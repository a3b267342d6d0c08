import type { Plugin } from 'graphql-yoga'
import { describe, expect, test } from 'vitest'
import { type HttpAnswer, useHttpTown } from './httpTown.ts'

const open = useHttpTown()
const BATCHING = { yoga: { batching: { limit: 5 } } }
const NEWS = { query: '{ news }' }
const WEATHER = { query: '{ weather }' }
const TIDES = { query: '{ tides }' }

describe('a batch', () => {
  test('has each operation by itself: from the cache, or run once for all', async () => {
    const { sites, runs, trace } = await open(BATCHING)
    const alone = await sites[0].post(WEATHER)
    await trace.saw('publish')
    const first = await sites[0].post([WEATHER, TIDES, WEATHER])
    await trace.saw('publish', 2)
    const second = await sites[1].post([TIDES, WEATHER])
    const tides = '{"data":{"tides":"tides 2 for nobody"}}'
    expect(first.text).toBe(`[${alone.text},${tides},${alone.text}]`)
    expect(second.text).toBe(`[${tides},${alone.text}]`)
    expect(runs).toEqual(['weather', 'tides'])
    expect([first, second].map(cacheStatusOf)).toEqual([
      'atomcache; fwd=miss; stored; ttl=3600',
      expect.stringMatching(/^atomcache; hit; ttl=(59|60)$/),
    ])
  })

  test('has one run for members that are the same, at the same moment on both servers', async () => {
    const { sites, runs, gate, trace } = await open(BATCHING)
    gate.shut()
    const asking = sites.map((site) => site.post([NEWS, NEWS]))
    await Promise.all([trace.saw('follow'), trace.saw('join', 2), gate.holds(1)])
    gate.open()
    for (const { text } of await Promise.all(asking)) {
      expect(JSON.parse(text)).toEqual(Array.from({ length: 2 }, () => ({ data: { news: 'news 1 for nobody' } })))
    }
    expect(runs).toEqual(['news'])
  })

  test.each<[string, object[], Record<string, string>, string]>([
    ['the least max-age', [WEATHER, TIDES], {}, 'public, max-age=60'],
    ['no max-age, for a member without a policy', [TIDES, NEWS], {}, 'private, no-cache'],
    ['private, for a session', [WEATHER, TIDES], { authorization: 'ann' }, 'private, max-age=60'],
    ['private, for a private member', [TIDES, { query: '{ mine }' }], { authorization: 'ann' }, 'private, max-age=60'],
    ['no-store, for a member that is private without a session', [WEATHER, { query: '{ mine }' }], {}, 'no-store'],
    ['no-store, for a member that is never stored', [WEATHER, { query: '{ never }' }], {}, 'no-store'],
    ['no-store, for a member with errors', [{ query: '{ fails }' }, WEATHER], {}, 'no-store'],
    ['no-store, for a mutation', [WEATHER, { query: 'mutation { write }' }], {}, 'no-store'],
    ['no-store, for a member that does not parse', [WEATHER, { query: '{' }], {}, 'no-store'],
    ['no-store, for a member that is not valid', [WEATHER, { query: '{ nothing }' }], {}, 'no-store'],
  ])('says %s', async (_what, batch, headers, expected) => {
    const { sites } = await open(BATCHING)
    for (const site of sites) {
      const answer = await site.post(batch, headers)
      expect([answer.status, JSON.parse(answer.text).length]).toEqual([200, 2])
      // A part of a second may have passed, and counts in Age then.
      const said = String(answer.headers['cache-control']).replace(/(?<=max-age=)(59|61)/, '60')
      expect(said).toBe(expected)
      expect(answer.headers.etag).toBeUndefined()
    }
  })

  test('has the age of its oldest member, and what is left of the one that ends first', async () => {
    const { sites, trace } = await open(BATCHING)
    await sites[0].post(TIDES)
    await trace.saw('publish')
    const age = async () => Number((await sites[1].post(TIDES)).headers.age)
    await expect.poll(age, { timeout: 15_000, interval: 100 }).toBeGreaterThan(1)
    const { headers } = await sites[1].post([TIDES, WEATHER])
    expect(Number(headers.age)).toBeGreaterThan(1)
    const lifetime = Number(/^public, max-age=(\d+)$/.exec(headers['cache-control'] ?? '')?.[1])
    expect([59, 60]).toContain(lifetime - Number(headers.age))
  })

  test('of one has no ETag either: it is a list', async () => {
    const { sites } = await open(BATCHING)
    for (const site of sites) {
      const { text, headers } = await site.post([WEATHER])
      expect(JSON.parse(text)).toHaveLength(1)
      expect([headers.etag, headers['cache-control']]).toEqual([undefined, expect.stringMatching(/^public, max-age=/)])
    }
  })

  test('is never a 304', async () => {
    const { sites } = await open(BATCHING)
    for (const batch of [[NEWS], [NEWS, NEWS]]) {
      for (const site of sites) expect((await site.post(batch, { 'if-none-match': '*' })).status).toBe(200)
    }
  })

  test.each<[string, Plugin]>([
    [
      'answers a member itself',
      { onParams: ({ params, setResult }) => void (params.query === '{ tides }' && setResult(OTHER)) },
    ],
    ['changes a member', { onExecutionResult: ({ result, setResult }) => void (isTides(result) && setResult(OTHER)) }],
    [
      'changes a member in the list',
      {
        onResultProcess: ({ result, setResult }) =>
          setResult((result as object[]).map((one) => (isTides(one) ? OTHER : one)) as never),
      },
    ],
  ])('is not for others where a plugin %s', async (_what, plugin) => {
    const { sites, trace } = await open({ ...BATCHING, before: [plugin] })
    const first = await sites[0].post([WEATHER, TIDES])
    await trace.saw('publish')
    for (const answer of [first, await sites[1].post([WEATHER, TIDES])]) {
      expect(answer.text).toContain('for you alone')
      expect(answer.headers['cache-control']).toMatch(/^(private, no-cache|no-store)$/)
    }
  })

  test('that is too long, or where they are not allowed, is refused as Yoga does', async () => {
    const { sites } = await open(BATCHING)
    const long = await sites[0].post(Array.from({ length: 6 }, () => NEWS))
    expect([long.status, long.headers['cache-status']]).toEqual([413, undefined])
    const none = await open()
    const refused = await none.sites[0].post([NEWS])
    expect([refused.status, refused.headers['cache-status']]).toEqual([400, undefined])
  })

  test('with only-if-cached has its error for each that is not there', async () => {
    const { sites, trace, runs } = await open({ ...BATCHING, plugin: { http: { honorRequest: true } } })
    await sites[0].post(WEATHER)
    await trace.saw('publish')
    const answer = await sites[1].post([WEATHER, TIDES], { 'cache-control': 'only-if-cached' })
    expect(JSON.parse(answer.text)).toMatchObject([
      { data: { weather: 'weather 1 for nobody' } },
      { errors: [{ extensions: { code: 'ONLY_IF_CACHED' } }] },
    ])
    expect([answer.headers['cache-control'], cacheStatusOf(answer)]).toEqual([
      'no-store',
      'atomcache; detail="not stored"',
    ])
    expect(runs).toHaveLength(1)
  })

  test('asks enabled once', async () => {
    let asked = 0
    const enabled = () => {
      asked++
      return true
    }
    const { sites } = await open({ ...BATCHING, plugin: { enabled } })
    await sites[0].post([NEWS, WEATHER, TIDES])
    expect(asked).toBe(1)
  })
})

const OTHER = { data: { tides: 'for you alone' } }

function isTides(result: unknown): boolean {
  return (result as { data?: { tides?: unknown } }).data?.tides !== undefined
}

function cacheStatusOf({ headers }: HttpAnswer): string | undefined {
  return headers['cache-status']
}
