import { useExecutionCancellation } from 'graphql-yoga'
import { describe, expect, test } from 'vitest'
import { aged, bodyOf, REVALIDATED, STALE_HIT, statusOf, useOriginTown } from './aging.ts'
import { pathOf, useHttpTown } from './httpTown.ts'

const open = useOriginTown()
const IT = 'query It { it }'
const FIRST = { data: { it: 'it 1' } }
const SECOND = { data: { it: 'it 2' } }

describe('a stale response', () => {
  test('is answered at once, and refreshed by one instance, with its own window or that of the cache', async () => {
    for (const options of [{ plugin: REVALIDATED }, { cache: REVALIDATED }]) {
      const town = await open(options)
      const { sites, origin, trace } = town
      await sites[0].get(IT)
      await trace.saw('publish')
      await aged(town, REVALIDATED)
      origin.gate.shut()
      for (const site of [...sites, ...sites]) {
        const answer = await site.get(IT)
        expect([bodyOf(answer), statusOf(answer)]).toEqual([FIRST, STALE_HIT])
      }
      await Promise.all([origin.gate.holds(1), trace.saw('follow')])
      expect(origin.runs).toBe(2)
      origin.gate.open()
      await trace.saw('publish', 2)
      for (const site of sites) {
        await expect.poll(async () => bodyOf(await site.get(IT))).toEqual(SECOND)
        expect(statusOf(await site.get(IT))).toMatch(/^atomcache; hit; ttl=\d+$/)
      }
      expect(origin.runs).toBe(2)
    }
  })

  test('has the windows that are said: what the refresh has stored is answered stale too', async () => {
    const town = await open({ plugin: { ttl: 100, ...REVALIDATED } })
    const { sites, origin, trace } = town
    await sites[0].get('{ plain }')
    await trace.saw('publish')
    const status = async () => statusOf(await sites[1].get('{ plain }'))
    await expect.poll(status).toEqual(STALE_HIT)
    await trace.saw('publish', 2)
    await expect.poll(status).toEqual(STALE_HIT)
    expect(origin.runs).toBe(0)
  })

  test('is refreshed also where whoever asked has gone', async () => {
    const signals: unknown[] = []
    const town = await open({
      plugin: REVALIDATED,
      before: [
        useExecutionCancellation(),
        {
          onExecute: ({ executeFn, setExecuteFn }) =>
            setExecuteFn((args) => {
              signals.push((args as { signal?: AbortSignal }).signal)
              return executeFn(args)
            }),
        },
      ],
    })
    await town.sites[0].get(IT)
    await town.trace.saw('publish')
    await aged(town, REVALIDATED)
    town.origin.gate.shut()
    // The connection is closed behind each answer.
    await town.sites[0].get(IT)
    await town.origin.gate.holds(1)
    town.origin.gate.open()
    await town.trace.saw('publish', 2)
    expect(bodyOf(await town.sites[0].get(IT))).toEqual(SECOND)
    expect(signals).toEqual([expect.any(AbortSignal), undefined])
  })

  test('stays the answer where its refresh fails, which is told and not tried at once again', async () => {
    const town = await open({ plugin: REVALIDATED })
    await town.sites[0].get(IT)
    await town.trace.saw('publish')
    await aged(town, REVALIDATED)
    town.origin.error = new Error('down')
    await town.sites[0].get(IT)
    await town.trace.saw('loaderError')
    for (const _ of [1, 2, 3]) {
      const answer = await town.sites[0].get(IT)
      expect([bodyOf(answer), statusOf(answer)]).toEqual([FIRST, STALE_HIT])
    }
    expect(town.origin.runs).toBe(2)
  })

  test('is not what was invalidated', async () => {
    const town = await open({ plugin: REVALIDATED })
    await town.sites[0].get(IT)
    await town.trace.saw('publish')
    await aged(town, REVALIDATED)
    await town.sites[1].cache.invalidate({ tags: ['query:It'] })
    for (const site of town.sites) expect(bodyOf(await site.get(IT))).toEqual(SECOND)
  })

  test('says in its metadata that it is one', async () => {
    const town = await open({ plugin: { ...REVALIDATED, includeExtensionMetadata: true } })
    const metadata = async () => JSON.parse((await town.sites[0].get(IT)).text).extensions.responseCache
    expect(await metadata()).toEqual({ hit: false, didCache: true, ttl: 600_000 })
    await town.trace.saw('publish')
    await aged(town, REVALIDATED)
    town.origin.gate.shut()
    expect(await metadata()).toEqual({ hit: true, stale: true })
    town.origin.gate.open()
  })

  test('is answered early too: the first to find it goes all the way, and refreshes it', async () => {
    let parsed = 0
    const counting = { onParams: () => void parsed++ }
    const plugin = { ...REVALIDATED, early: { session: () => null }, session: () => null }
    for (const memory of [undefined, { maxBytes: 1_000_000 }]) {
      parsed = 0
      const town = await open({ plugin, after: [counting], ...(memory === undefined ? {} : { cache: { memory } }) })
      const [site] = town.sites
      await site.get(IT)
      await town.trace.saw('publish')
      await site.get(IT)
      await aged(town, REVALIDATED)
      town.origin.gate.shut()
      const before = parsed
      for (const _ of [1, 2, 3]) {
        const answer = await site.get(IT)
        expect([bodyOf(answer), statusOf(answer), answer.headers.age]).toEqual([FIRST, STALE_HIT, '0'])
      }
      expect(parsed).toBe(before + 1)
      await town.origin.gate.holds(1)
      town.origin.gate.open()
      await town.trace.saw('publish', 2)
      await expect.poll(async () => bodyOf(await site.get(IT))).toEqual(SECOND)
      expect(parsed).toBe(before + 1)
    }
  })
})

describe('a stale response in the headers', () => {
  /** Real seconds pass: those that HTTP counts in. */
  const LONG = { timeout: 15_000, interval: 100 }
  const WINDOWS = { staleWhileRevalidate: 60_000, staleIfError: 120_000 }
  const ttls = { ttlPerSchemaCoordinate: { 'Query.it': 1_500 } }

  test('has an Age beyond its max-age, the windows that are left of it, and its ETag', async () => {
    const town = await open({ plugin: { ...ttls, ...WINDOWS } })
    const [a, b] = town.sites
    const first = await a.get(IT)
    expect(first.headers['cache-control']).toBe('public, max-age=1, stale-while-revalidate=60, stale-if-error=120')
    await town.trace.saw('publish')
    town.origin.gate.shut()
    await expect.poll(async () => statusOf(await b.get(IT)), LONG).toEqual(STALE_HIT)
    for (const site of [a, b]) {
      const { status, headers } = await site.get(IT)
      expect([status, headers.etag, headers['cache-control']]).toEqual([
        200,
        first.headers.etag,
        'public, max-age=1, stale-while-revalidate=60, stale-if-error=120',
      ])
      expect(Number(headers.age)).toBeGreaterThanOrEqual(1)
      const same = await site.get(IT, { 'if-none-match': String(first.headers.etag) })
      expect([same.status, same.text, same.headers['cache-status']]).toEqual([304, '', STALE_HIT])
    }
    town.origin.gate.open()
    await town.trace.saw('publish', 2)
  })

  test.each([
    [
      'of http in their place',
      { staleWhileRevalidate: 5, staleIfError: 7 },
      ', stale-while-revalidate=5, stale-if-error=7',
    ],
    ['of http that are none', { staleWhileRevalidate: 0, staleIfError: 0 }, ''],
    ['of http below the policy', { maxAge: 30 }, ', stale-while-revalidate=60, stale-if-error=120'],
  ])('has windows %s', async (_what, http, windows) => {
    const town = await open({ plugin: { ...WINDOWS, http } })
    const { headers } = await town.sites[0].get(IT)
    expect(headers['cache-control']).toBe(`public, max-age=${'maxAge' in http ? 30 : 600}${windows}`)
    const plain = await town.sites[0].get('{ plain }')
    if (!('maxAge' in http)) expect(plain.headers['cache-control']).toBe('private, no-cache')
  })

  test('has for HTTP caches no longer windows than here, whatever http says', async () => {
    const http = { staleWhileRevalidate: 600, staleIfError: 600 }
    const town = await open({ plugin: { ...ttls, ...WINDOWS, http } })
    await town.sites[0].get(IT)
    await town.trace.saw('publish')
    town.origin.gate.shut()
    await expect.poll(async () => statusOf(await town.sites[1].get(IT)), LONG).toEqual(STALE_HIT)
    const { headers } = await town.sites[1].get(IT)
    expect(headers['cache-control']).toBe('public, max-age=1, stale-while-revalidate=60, stale-if-error=120')
    town.origin.gate.open()
  })

  test('in a batch: the least of all, beside the Age of the oldest', async () => {
    const town = await open({ plugin: { ...ttls, ...WINDOWS, http: { maxAge: 600 } }, yoga: { batching: true } })
    const [site] = town.sites
    await site.get(IT)
    await town.trace.saw('publish')
    town.origin.gate.shut()
    await expect.poll(async () => statusOf(await site.get(IT)), LONG).toEqual(STALE_HIT)
    const { headers } = await site.post([{ query: IT }, { query: '{ plain }' }])
    expect(headers['cache-control']).toBe('public, max-age=1, stale-while-revalidate=60, stale-if-error=120')
    expect(Number(headers.age)).toBeGreaterThanOrEqual(1)
    town.origin.gate.open()
  })
})

describe('what a request says of what is stale', () => {
  const plugin = { ...REVALIDATED, http: { honorRequest: true } }
  const asking = (said: string) => ({ 'cache-control': said })

  async function stale() {
    const town = await open({ plugin })
    await town.sites[0].get(IT)
    await town.trace.saw('publish')
    await aged(town, REVALIDATED)
    return town
  }

  test.each(['only-if-cached', 'max-stale', 'max-stale=60', 'max-age=60, max-stale=60', 'only-if-cached, max-stale=9'])(
    '%s gets it, and it is refreshed behind that',
    async (said) => {
      const town = await stale()
      const answer = await town.sites[1].get(IT, asking(said))
      expect([bodyOf(answer), statusOf(answer)]).toEqual([FIRST, STALE_HIT])
      await town.trace.saw('publish', 2)
      expect(town.origin.runs).toBe(2)
    },
  )

  test.each(['max-age=60', 'max-stale=0', 'no-cache', 'no-cache, max-stale'])('%s gets a new one', async (said) => {
    const town = await stale()
    const answer = await town.sites[1].get(IT, asking(said))
    expect([bodyOf(answer), statusOf(answer)]).toEqual([SECOND, 'atomcache; fwd=request; stored; ttl=600'])
  })

  test.each(['only-if-cached, max-age=60', 'only-if-cached, max-stale=0'])('%s gets 504', async (said) => {
    const town = await stale()
    expect((await town.sites[1].get(IT, asking(said))).status).toBe(504)
    expect(town.origin.runs).toBe(1)
  })

  test('only-if-cached gets nothing that is there for failures only', async () => {
    const windows = { staleIfError: 600_000 }
    const town = await open({ plugin: { ...windows, http: { honorRequest: true } } })
    await town.sites[0].get(IT)
    await town.trace.saw('publish')
    await aged(town, windows)
    expect((await town.sites[1].get(IT, asking('only-if-cached'))).status).toBe(504)
    expect(town.origin.runs).toBe(1)
  })
})

describe('a stale response in parts', () => {
  const openParts = useHttpTown()

  test('is answered as a whole, and its refresh is read to its end', async () => {
    const town = await openParts({ plugin: REVALIDATED })
    const [site] = town.sites
    const headers = { accept: 'multipart/mixed' }
    const ask = () => site.send('GET', pathOf('{ letters @stream }'), headers)
    expect((await ask()).headers['content-type']).toContain('multipart/mixed')
    await town.trace.saw('publish')
    await aged(town, REVALIDATED)
    town.gate.shut()
    const { text, headers: said } = await ask()
    expect(said['cache-status']).toEqual(STALE_HIT)
    expect(text).toContain('{"data":{"letters":["a 1 for nobody","b 2 for nobody"]}}')
    await town.gate.holds(1)
    town.gate.open()
    await town.trace.saw('publish', 2)
    await expect.poll(async () => (await ask()).text).toContain('["a 3 for nobody","b 4 for nobody"]')
  })
})
