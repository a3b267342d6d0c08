import { type ExecutionArgs, GraphQLError } from 'graphql'
import { type Plugin, useExecutionCancellation } from 'graphql-yoga'
import { describe, expect, test } from 'vitest'
import { aged, bodyOf, FALLBACK, IF_ERROR, STALE_HIT, statusOf, useOriginTown } from './aging.ts'
import type { TownOptions } from './httpTown.ts'

const open = useOriginTown()
const IT = 'query It { it }'
const FIRST = { data: { it: 'it 1' } }

/** A town whose origin has answered once, which is stale. */
async function stale(options: TownOptions = {}) {
  const town = await open({ ...options, plugin: { ...IF_ERROR, ...options.plugin } })
  await town.sites[0].get(IT)
  await town.trace.saw('publish')
  await aged(town, IF_ERROR)
  return town
}

/** Throws, where there is an error, instead of executing. */
function throws(thrown: { error?: Error }): Plugin {
  return {
    onExecute({ executeFn, setExecuteFn }) {
      setExecuteFn((args: ExecutionArgs) => {
        if (thrown.error !== undefined) throw thrown.error
        return executeFn(args)
      })
    },
  }
}

const withCode = (code: string, message = 'no') => new GraphQLError(message, { extensions: { code } })

describe('while its origin is down', () => {
  test.each([
    ['', {}],
    [' with errors that nobody may be told', { shareError: () => false }],
  ])(
    'a stale response is the answer, also to who waits elsewhere, and the origin is left alone for a while%s',
    async (_, cache) => {
      const town = await stale({ cache })
      const { sites, origin, trace } = town
      origin.error = new Error('down')
      origin.gate.shut()
      const asking = [...sites, ...sites].map((site) => site.get(IT))
      await Promise.all([origin.gate.holds(1), trace.saw('follow'), trace.saw('join', 2)])
      origin.gate.open()
      for (const answer of await Promise.all(asking)) {
        expect([answer.status, bodyOf(answer), statusOf(answer)]).toEqual([200, FIRST, FALLBACK])
        expect([answer.headers.age, answer.headers.etag]).toEqual(['0', expect.any(String)])
      }
      for (const site of sites) {
        const answer = await site.get(IT)
        expect([bodyOf(answer), statusOf(answer)]).toEqual([FIRST, STALE_HIT])
      }
      expect(origin.runs).toBe(2)
      expect(trace.of('loaderError').map(({ error, shared }) => [String(error), shared])).toEqual([
        ['PassingResult: the result of the operation is not stored', true],
      ])
    },
  )

  test.each([
    ['an error without a code', new Error('down')],
    ['what is no error', 'down'],
    ['INTERNAL_SERVER_ERROR', withCode('INTERNAL_SERVER_ERROR')],
    ['a status of 503', Object.assign(new Error('no'), { status: 503 })],
    ['too many requests', Object.assign(new Error('no'), { statusCode: 429 })],
  ])('what says %s is hidden', async (_what, error) => {
    const town = await stale()
    town.origin.error = error
    const answer = await town.sites[1].get(IT)
    expect([bodyOf(answer), statusOf(answer)]).toEqual([FIRST, FALLBACK])
  })

  test('what isOutage of the cache does not call one is not hidden; it is asked of what was thrown', async () => {
    const asked: string[] = []
    const isOutage = (error: unknown) => {
      asked.push((error as Error).name)
      return !(error instanceof RangeError)
    }
    const town = await stale({ cache: { isOutage } })
    town.origin.error = new RangeError('masked')
    expect(bodyOf(await town.sites[0].get(IT))).toEqual({ data: { it: null }, errors: ['Unexpected error.'] })
    expect(asked).toEqual(['GraphQLError', 'RangeError'])
    town.origin.error = new TypeError('masked')
    expect(bodyOf(await town.sites[0].get(IT))).toEqual(FIRST)
  })

  test('an isOutage that throws hides nothing, and is told', async () => {
    const isOutage = () => {
      throw new Error('no idea')
    }
    const town = await stale({ cache: { isOutage } })
    town.origin.error = new GraphQLError('down')
    expect(bodyOf(await town.sites[0].get(IT)).errors).toEqual(['down'])
    expect(town.trace.of('policyError')).toEqual([expect.objectContaining({ option: 'isOutage' })])
  })

  test('what a plugin throws instead of executing is hidden as well', async () => {
    const thrown: { error?: Error } = {}
    const town = await stale({ before: [throws(thrown)] })
    thrown.error = new Error('down')
    expect(bodyOf(await town.sites[0].get(IT))).toEqual(FIRST)
  })

  test('without anything stale it is told, as ever: to whoever runs it, and to who waits', async () => {
    const { sites, origin, trace } = await open({ plugin: IF_ERROR })
    origin.error = new GraphQLError('down')
    origin.gate.shut()
    const asking = sites.map((site) => site.get(IT))
    await Promise.all([origin.gate.holds(1), trace.saw('follow')])
    origin.gate.open()
    for (const answer of await Promise.all(asking)) {
      expect(bodyOf(answer)).toEqual({ data: { it: null }, errors: ['down'] })
      expect(statusOf(answer)).toMatch(/^atomcache; fwd=miss(; collapsed)?$/)
    }
    expect(origin.runs).toBe(1)
  })

  test('a request for a new one is told', async () => {
    const town = await stale({ plugin: { http: { honorRequest: true } } })
    town.origin.error = new GraphQLError('down')
    const answer = await town.sites[0].get(IT, { 'cache-control': 'no-cache' })
    expect([bodyOf(answer).errors, statusOf(answer)]).toEqual([['down'], 'atomcache; fwd=request'])
  })
})

describe('although there is a stale response', () => {
  test.each([
    ['UNAUTHENTICATED', withCode('UNAUTHENTICATED')],
    ['FORBIDDEN', withCode('FORBIDDEN')],
    ['FORBIDDEN in its text only', new GraphQLError('403 Forbidden')],
    ['BAD_USER_INPUT', withCode('BAD_USER_INPUT')],
    ['NOT_FOUND', withCode('NOT_FOUND')],
    ['what was thrown with a status of 404', Object.assign(new Error('gone'), { status: 404 })],
    [
      'one of several that it was made of',
      new GraphQLError('several', {
        originalError: new AggregateError([new Error('down'), withCode('FORBIDDEN')], 'all'),
      }),
    ],
  ])('what says %s is told', async (_what, error) => {
    const town = await stale()
    town.origin.error = error
    const answer = await town.sites[1].get(IT)
    expect([bodyOf(answer).errors?.length, statusOf(answer)]).toEqual([1, 'atomcache; fwd=stale'])
    town.origin.error = undefined
    const next = await town.sites[1].get(IT)
    expect([bodyOf(next), statusOf(next)]).toEqual([{ data: { it: 'it 3' } }, 'atomcache; fwd=stale; stored; ttl=600'])
  })

  test('what was not executed is told', async () => {
    const refused: { result?: object } = {}
    const refuses: Plugin = {
      onExecute({ executeFn, setExecuteFn }) {
        setExecuteFn((args: ExecutionArgs) => refused.result ?? executeFn(args))
      },
    }
    const town = await stale({ before: [refuses] })
    refused.result = { errors: [new GraphQLError('Variable "$of" got invalid value 5')] }
    expect(bodyOf(await town.sites[0].get(IT)).errors).toEqual(['Variable "$of" got invalid value 5'])
  })

  test('what is told is told to who waits elsewhere, as far as that may be', async () => {
    for (const [error, runs] of [
      [withCode('NOT_FOUND'), 2],
      [withCode('FORBIDDEN'), 3],
    ] as const) {
      const town = await stale()
      const { sites, origin, trace } = town
      origin.error = error
      origin.gate.shut()
      const asking = sites.map((site) => site.get(IT))
      await Promise.all([origin.gate.holds(1), trace.saw('follow')])
      origin.gate.open()
      for (const answer of await Promise.all(asking)) expect(bodyOf(answer).errors).toEqual(['no'])
      expect(origin.runs).toBe(runs)
    }
  })

  test('a result with errors that is stored by shouldCacheResult is the answer', async () => {
    const town = await stale({ plugin: { shouldCacheResult: () => true } })
    town.origin.error = new GraphQLError('down')
    for (const site of town.sites) {
      expect(bodyOf(await site.get(IT)).errors).toEqual(['down'])
      await town.trace.saw('publish', 2)
    }
    expect(town.origin.runs).toBe(2)
  })
})

test('a result with errors that is stored by shouldCacheResult is never answered stale', async () => {
  const plugin = { shouldCacheResult: () => true, onTtl: () => 100, staleWhileRevalidate: 600_000, ...IF_ERROR }
  const { sites, origin, trace } = await open({ plugin })
  origin.error = new GraphQLError('down')
  expect(bodyOf(await sites[0].get(IT)).errors).toEqual(['down'])
  await trace.saw('publish')
  origin.error = undefined
  await expect.poll(async () => bodyOf(await sites[0].get(IT))).toEqual({ data: { it: 'it 2' } })
  expect(trace.of('stale')).toEqual([])
})

describe('a response that is made of a stale one', () => {
  test('is not stored, and the next one, of what was refreshed, is', async () => {
    const town = await open({ plugin: { staleWhileRevalidate: 600_000, ttl: 600_000 } })
    const { sites, origin, trace } = town
    await sites[0].get(IT)
    await trace.saw('publish')
    await aged(town, { staleWhileRevalidate: 600_000 })
    origin.gate.shut()
    const ask = async () => statusOf(await sites[0].get('query Outer { outer }'))
    expect(await ask()).toBe('atomcache; fwd=miss')
    expect(await ask()).toBe('atomcache; fwd=miss')
    origin.gate.open()
    await trace.saw('publish', 2)
    await expect.poll(ask).toMatch(/^atomcache; hit; ttl=\d+$/)
    expect(bodyOf(await sites[1].get('query Outer { outer }'))).toEqual({ data: { outer: 'of it 2' } })
  })
})

test('a stale response stays where its refresh was made of something stale', async () => {
  const town = await open({ plugin: { staleWhileRevalidate: 600_000, ttl: 600_000 } })
  const { sites, origin, trace } = town
  const ask = async (query: string) => statusOf(await sites[0].get(query))
  await ask('query Outer { outer }')
  await trace.saw('publish', 2)
  const windows = { staleWhileRevalidate: 600_000 }
  for (const { key } of trace.of('publish')) await aged(town, windows, JSON.parse(key))
  origin.gate.shut()
  // Its refresh gets the stale one, whose own refresh is held back.
  expect(await ask('query Outer { outer }')).toEqual(STALE_HIT)
  await trace.saw('loaderError')
  expect(await ask('query Outer { outer }')).toEqual(STALE_HIT)
  origin.gate.open()
  await trace.saw('publish', 3)
})

describe('an origin that is slow', () => {
  test('goes on behind the stale answer, which comes after softTimeout, whoever has gone by then', async () => {
    const town = await stale({ plugin: { softTimeout: 50 }, before: [useExecutionCancellation()] })
    const { sites, origin, trace } = town
    origin.gate.shut()
    const answer = await sites[0].get(IT)
    expect([bodyOf(answer), statusOf(answer)]).toEqual([FIRST, FALLBACK])
    expect(trace.of('stale').map(({ reason }) => reason)).toEqual(['softTimeout'])
    // It is known to be slow: who comes now need not wait.
    expect(statusOf(await sites[0].get(IT))).toEqual(STALE_HIT)
    origin.gate.open()
    await trace.saw('publish', 2)
    for (const site of sites) expect(bodyOf(await site.get(IT))).toEqual({ data: { it: 'it 2' } })
  })

  test('is waited for where there is nothing stale', async () => {
    const { sites, origin } = await open({ plugin: { ...IF_ERROR, softTimeout: 1 } })
    origin.gate.shut()
    const asking = sites[0].get(IT)
    await origin.gate.holds(1)
    origin.gate.open()
    expect(bodyOf(await asking)).toEqual(FIRST)
  })
})

describe('what the cache has for its other values', () => {
  test('does not count for responses: nothing of them is negative', async () => {
    const { sites, origin, trace } = await open({ cache: { negativeTtl: 0, isNegative: () => true, errorTtl: 60_000 } })
    await sites[0].get(IT)
    await trace.saw('publish')
    expect(statusOf(await sites[1].get(IT))).toMatch(/^atomcache; hit; ttl=(599|600)$/)
    origin.error = new GraphQLError('down')
    for (const run of [2, 3]) {
      expect(bodyOf(await sites[0].get('query Other { it }')).errors).toEqual(['down'])
      expect(origin.runs).toBe(run)
    }
  })

  test('errorTtl does not: what an operation throws is not stored', async () => {
    const thrown: { error?: Error } = { error: new Error('down') }
    const { sites } = await open({ cache: { errorTtl: 60_000 }, before: [throws(thrown)] })
    expect(bodyOf(await sites[0].get(IT)).errors).toEqual(['Unexpected error.'])
    delete thrown.error
    for (const site of sites) expect(bodyOf(await site.get(IT))).toEqual(FIRST)
  })

  test('jitter does: an answer says how long it is fresh in the store', async () => {
    const { sites, trace } = await open({ plugin: { jitter: 1 } })
    const ttlOf = (status: string | undefined) => Number(/ttl=(\d+)$/.exec(status ?? '')?.[1])
    const first = ttlOf(statusOf(await sites[0].get(IT)))
    await trace.saw('publish')
    const next = ttlOf(statusOf(await sites[1].get(IT)))
    expect(first).toBeLessThan(600)
    expect([first, first - 1, first - 2]).toContain(next)
  })

  test('earlyRefresh does: a hit is refreshed behind its answer before it ends', async () => {
    const { sites, origin, trace } = await open({
      cache: { earlyRefresh: { beta: 1000 } },
      plugin: { ttlPerSchemaCoordinate: { 'Query.it': 10_000 } },
    })
    origin.gate.shut()
    const asking = sites[0].get(IT)
    await origin.gate.holds(1)
    const startedAt = performance.now()
    await expect.poll(() => performance.now() - startedAt).toBeGreaterThan(50)
    origin.gate.open()
    await asking
    await trace.saw('publish')
    const refreshes = async () => {
      expect(statusOf(await sites[0].get(IT))).toMatch(/^atomcache; hit; ttl=\d$/)
      return trace.of('refresh').length
    }
    await expect.poll(refreshes).toBeGreaterThan(0)
    await trace.saw('publish', 2)
    expect(trace.of('stale')).toEqual([])
  })
})
