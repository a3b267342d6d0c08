import { describe, expect, test } from 'vitest'
import { type HttpAnswer, pathOf, useHttpTown } from './httpTown.ts'

const open = useHttpTown()
const LISTENING = { plugin: { http: { honorRequest: true } } }

describe('what a request says in Cache-Control', () => {
  test.each(['no-cache', 'no-store', 'max-age=0', 'only-if-cached', 'max-age=x, no-cache'])(
    '%s does not count without http.honorRequest',
    async (said) => {
      const { sites, runs, trace } = await open()
      const first = await sites[0].get('{ news }', { 'cache-control': said })
      expect([first.status, statusOf(first)]).toEqual([200, expect.stringContaining('fwd=miss; stored')])
      await trace.saw('publish')
      const second = await sites[1].get('{ news }', { 'cache-control': said, pragma: 'no-cache' })
      expect([second.text, statusOf(second)]).toEqual([first.text, expect.stringContaining('hit')])
      expect(runs).toEqual(['news'])
    },
  )

  test.each([{ 'cache-control': 'no-cache' }, { pragma: 'no-cache' }, { 'cache-control': 'max-age=0, no-cache' }])(
    '%o computes anew, for the others too',
    async (headers) => {
      const { sites, runs, trace } = await open(LISTENING)
      await sites[0].get('{ news }')
      await trace.saw('publish')
      const fresh = await sites[1].get('{ news }', headers)
      expect([fresh.text, statusOf(fresh)]).toEqual([newsOf(2), 'atomcache; fwd=request; stored; ttl=600'])
      await trace.saw('publish', 2)
      for (const site of sites) expect((await site.get('{ news }')).text).toBe(newsOf(2))
      expect(runs).toHaveLength(2)
    },
  )

  test('no-cache with If-None-Match computes anew, and is a 304 where nothing has changed', async () => {
    const { sites, trace } = await open(LISTENING)
    const { headers } = await sites[0].get('{ __typename }')
    await trace.saw('publish')
    const asked = { 'cache-control': 'no-cache', 'if-none-match': String(headers.etag) }
    const again = await sites[1].get('{ __typename }', asked)
    expect([again.status, statusOf(again)]).toEqual([304, expect.stringContaining('fwd=request; stored')])
    expect((await sites[1].get('{ news }', asked)).status).toBe(200)
  })

  test('no-store: neither read nor stored, here or on the way', async () => {
    const { sites, runs, trace } = await open(LISTENING)
    await sites[0].get('{ news }')
    await trace.saw('publish')
    for (const site of sites) {
      const answer = await site.get('{ news weather }', { 'cache-control': 'no-store', 'if-none-match': '*' })
      expect([answer.status, statusOf(answer)]).toEqual([200, 'atomcache; fwd=request'])
      expect([answer.headers['cache-control'], answer.headers.etag]).toEqual(['no-store', undefined])
    }
    expect((await sites[1].get('{ news }', { 'cache-control': 'no-store' })).text).toBe(newsOf(6))
    expect((await sites[1].get('{ news }')).text).toBe(newsOf(1))
    expect(runs).toHaveLength(6)
    expect(trace.of('publish')).toHaveLength(1)
  })

  test('max-age: not older than that, by the store’s clock', async () => {
    const { sites, runs, trace } = await open(LISTENING)
    await sites[0].get('{ news }')
    await trace.saw('publish')
    const age = async () => Number((await sites[1].get('{ news }')).headers.age)
    await expect.poll(age, { timeout: 15_000, interval: 100 }).toBeGreaterThan(0)
    const young = await sites[1].get('{ news }', { 'cache-control': 'max-age=500' })
    expect([young.text, statusOf(young)]).toEqual([newsOf(1), expect.stringContaining('hit')])
    const old = await sites[1].get('{ news }', { 'cache-control': 'max-age=1' })
    expect([old.text, statusOf(old)]).toEqual([newsOf(2), expect.stringContaining('fwd=request; stored')])
    expect(runs).toHaveLength(2)
  })

  test('max-age on nothing is an ordinary miss, which others join', async () => {
    const { sites, runs, gate, trace } = await open(LISTENING)
    gate.shut()
    const asking = sites.map((site) => site.get('{ news }', { 'cache-control': 'max-age=5' }))
    await Promise.all([trace.saw('follow'), gate.holds(1)])
    gate.open()
    for (const answer of await Promise.all(asking)) expect(statusOf(answer)).toMatch(/fwd=miss/)
    expect(runs).toHaveLength(1)
  })

  test('only-if-cached: what is there, or 504 and nothing run', async () => {
    const { sites, runs, trace } = await open(LISTENING)
    const asked = { 'cache-control': 'only-if-cached' }
    for (const accept of ['application/json', 'application/graphql-response+json']) {
      const none = await sites[0].get('{ news }', { ...asked, accept })
      expect([none.status, statusOf(none)]).toEqual([504, 'atomcache; detail="not stored"'])
      expect(JSON.parse(none.text)).toMatchObject({ errors: [{ extensions: { code: 'ONLY_IF_CACHED' } }] })
      expect(none.text).not.toContain('http')
      expect([none.headers['cache-control'], none.headers.etag]).toEqual(['no-store', undefined])
    }
    await sites[0].get('{ news }')
    await trace.saw('publish')
    const there = await sites[1].get('{ news }', asked)
    expect([there.status, there.text, statusOf(there)]).toEqual([200, newsOf(1), expect.stringContaining('hit')])
    const tag = { 'if-none-match': String(there.headers.etag) }
    expect((await sites[1].get('{ news }', { ...asked, ...tag })).status).toBe(304)
    expect(runs).toHaveLength(1)
  })

  test.each([
    ['too old', '{ news }', 'only-if-cached, max-age=0'],
    ['not to be read', '{ news }', 'only-if-cached, no-cache'],
    ['not to be read or stored', '{ news }', 'only-if-cached, no-store'],
    ['never stored', '{ tides }', 'only-if-cached'],
  ])('only-if-cached: 504 for what is %s', async (_what, query, said) => {
    const { sites, runs, trace } = await open({
      plugin: { http: { honorRequest: true }, ttlPerSchemaCoordinate: { 'Query.tides': 0 } },
    })
    await sites[0].get('{ news }')
    await trace.saw('publish')
    const age = async () => Number((await sites[1].get('{ news }')).headers.age)
    await expect.poll(age, { timeout: 15_000, interval: 100 }).toBeGreaterThan(0)
    expect((await sites[1].get(query, { 'cache-control': said })).status).toBe(504)
    expect(runs).toHaveLength(1)
  })

  test('only-if-cached does not show what is another session’s', async () => {
    const { sites, trace } = await open(LISTENING)
    const ann = await sites[0].get('{ mine }', { authorization: 'ann' })
    await trace.saw('publish')
    const asked = { 'cache-control': 'only-if-cached', 'if-none-match': String(ann.headers.etag) }
    for (const user of [{ authorization: 'bob' }, {}]) {
      const none = await sites[1].get('{ mine }', { ...asked, ...user })
      expect([none.status, none.text]).toEqual([504, expect.not.stringContaining('ann')])
    }
  })

  test('what is written into one 504 is not in the next', async () => {
    const { sites } = await open({
      plugin: { http: { honorRequest: true } },
      after: [
        {
          onExecute: () => ({
            onExecuteDone: ({ result, args }) => {
              const { errors } = result as { errors: { extensions: Record<string, unknown> }[] }
              const { user } = args.contextValue as { user?: string }
              for (const { extensions } of errors) extensions[`seen by ${user}`] = true
            },
          }),
        },
      ],
    })
    const asked = { 'cache-control': 'only-if-cached' }
    expect((await sites[0].get('{ news }', { ...asked, authorization: 'ann' })).text).toContain('seen by ann')
    expect((await sites[0].get('{ news }', { ...asked, authorization: 'bob' })).text).not.toContain('ann')
  })

  test('mutations do not listen', async () => {
    const { sites, runs } = await open(LISTENING)
    for (const said of ['only-if-cached', 'no-store', 'no-cache', 'max-age=9']) {
      const { status } = await sites[0].post({ query: 'mutation { write }' }, { 'cache-control': said })
      expect(status).toBe(200)
    }
    expect(runs).toHaveLength(4)
  })

  test('a real client that reloads gets what is new', async () => {
    const { sites, trace } = await open(LISTENING)
    const url = sites[0].url + pathOf('{ news }')
    await fetch(url)
    await trace.saw('publish')
    expect(await (await fetch(url)).text()).toBe(newsOf(1))
    expect(await (await fetch(url, { cache: 'reload' })).text()).toBe(newsOf(2))
  })
})

function newsOf(run: number): string {
  return JSON.stringify({ data: { news: `news ${run} for nobody` } })
}

function statusOf({ headers }: HttpAnswer): string | undefined {
  return headers['cache-status']
}
