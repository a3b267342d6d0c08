import { initTRPC } from '@trpc/server'
import { describe, expect, test } from 'vitest'
import { cached } from '../../../src/adapters/trpc/index.ts'
import { STORES } from '../stores.ts'
import { traceOf } from '../trace.ts'
import { type Bench, type Context, t, transformer, useTwins } from './twins.ts'

const rich = initTRPC.context<Context>().create({ transformer })

const VALUES = {
  date: new Date(86_400_000),
  map: new Map<unknown, unknown>([['a', { at: new Date(0) }]]),
  set: new Set([1n, 2n]),
  big: 2n ** 70n,
  nothing: undefined,
  list: [undefined, null, Number.NaN, -0],
  bytes: new Uint8Array([0, 255]),
  text: '“€”\u0000',
}

class Point {
  readonly x: number
  constructor(x: number) {
    this.x = x
  }
}

describe.each(STORES)('what a tRPC procedure answers, over $name', ({ make }) => {
  const open = useTwins(make)

  const valuesOf = ({ cache, run }: Bench) =>
    rich.router({
      values: rich.procedure.use(cached({ cache, scope: null })).query(async () => {
        await run('values')
        return VALUES
      }),
      nothing: rich.procedure.use(cached({ cache, scope: null })).query(async () => {
        await run('nothing')
        return undefined
      }),
      point: rich.procedure.use(cached({ cache, scope: null })).query(async () => {
        await run('point')
        return { point: new Point(1) }
      }),
      line: rich.procedure.use(cached({ cache, scope: null })).query(() => [new Point(1), new Point(2)]),
    })

  test('Date, Map, Set, BigInt, undefined, NaN, -0 and bytes survive for callers in the server', async () => {
    const { a, b, runs } = await open(valuesOf)
    const trace = traceOf(a.cache)
    const [atA, atB] = [a, b].map(({ router }) => rich.createCallerFactory(router)({ user: undefined }))
    expect(await atA?.values()).toStrictEqual(VALUES)
    await trace.saw('publish')
    expect(await atB?.values()).toStrictEqual(VALUES)
    expect(runs).toHaveLength(1)
  })

  test('and over HTTP with a transformer that carries them', async () => {
    const { a, b, runs } = await open(valuesOf, { transformer })
    const trace = traceOf(a.cache)
    for (const link of ['single', 'batch', 'stream'] as const) {
      // Spread, because the object itself comes without a prototype out of tRPC's streams.
      expect({ ...(await a.client({ link }).values.query()) }).toStrictEqual(VALUES)
      await trace.saw('publish')
      expect({ ...(await b.client({ link }).values.query()) }).toStrictEqual(VALUES)
    }
    expect(runs).toHaveLength(1)
  })

  test('a stored undefined is a hit', async () => {
    const { a, b, runs } = await open(valuesOf, { transformer })
    const trace = traceOf(a.cache)
    expect(await a.client().nothing.query()).toBeUndefined()
    await trace.saw('publish')
    expect(await b.client().nothing.query()).toBeUndefined()
    expect(runs).toHaveLength(1)
  })

  test('an instance of a class is answered as it is, told by the procedure’s name, and not stored', async () => {
    const { a, b, runs } = await open(valuesOf)
    const trace = traceOf(a.cache, b.cache)
    for (const { router } of [a, b, a]) {
      const caller = rich.createCallerFactory(router)({ user: undefined })
      expect((await caller.point()).point).toBeInstanceOf(Point)
    }
    expect(runs).toHaveLength(3)
    for (const _ of [1, 2]) await rich.createCallerFactory(a.router)({ user: undefined }).line()
    expect(trace.of('uncacheable').map(({ shape, reason, path }) => [shape, reason, path])).toEqual([
      ['tRPC query point', 'an instance of Point', '.point'],
      ['tRPC query point', 'an instance of Point', '.point'],
      ['tRPC query line', 'an instance of Point', '[0]'],
    ])
  })

  const partsOf = ({ cache, run }: Bench) =>
    t.router({
      yields: t.procedure.use(cached({ cache, scope: null })).query(async function* () {
        for (let part = 1; part <= 3; part++) yield await run(`part ${part}`)
      }),
      promises: t.procedure.use(cached({ cache, scope: null })).query(async () => {
        const now = await run('now')
        return { now, later: run('later') }
      }),
      streams: t.procedure.use(cached({ cache, scope: null })).query(async () => {
        const now = await run('now')
        return { now, later: Promise.resolve(letters()) }
      }),
    })

  async function* letters() {
    yield* 'abc'
  }

  test('every client of a query that yields gets its complete stream of its own', async () => {
    const { a, b, gate, runs } = await open(partsOf)
    const trace = traceOf(a.cache, b.cache)
    gate.shut()
    const asking = [a, a, b, b].map(async (twin) => {
      const parts: string[] = []
      for await (const part of await twin.client({ link: 'stream' }).yields.query()) {
        parts.push(part.replace(/ by .*/, ''))
      }
      return parts
    })
    await gate.holds(4)
    gate.open()
    for (const parts of await Promise.all(asking)) expect(parts).toEqual(['part 1', 'part 2', 'part 3'])
    expect(runs).toHaveLength(12)
    expect(trace.of('publish')).toEqual([])
  })

  test('a value that holds a promise is not stored', async () => {
    const { a, b, runs } = await open(partsOf)
    const trace = traceOf(a.cache, b.cache)
    for (const twin of [a, b, a]) {
      const { now, later } = await twin.client({ link: 'stream' }).promises.query()
      expect([now, await later]).toEqual([expect.stringMatching(/^now by/), expect.stringMatching(/^later by/)])
    }
    expect(runs).toHaveLength(6)
    expect(trace.of('publish')).toEqual([])
  })

  test('every client gets the whole stream that a promise in a value comes to', async () => {
    const { a, gate } = await open(partsOf)
    const trace = traceOf(a.cache)
    gate.shut()
    const asking = [1, 2, 3].map(async () => {
      const parts: string[] = []
      for await (const part of await (await a.client({ link: 'stream' }).streams.query()).later) parts.push(part)
      return parts
    })
    await Promise.all([trace.saw('join', 2), gate.holds(1)])
    gate.open()
    for (const parts of await Promise.all(asking)) expect(parts).toEqual(['a', 'b', 'c'])
  })

  const checkedOf = ({ cache, run }: Bench) => {
    const output = (check: string) => async (value: unknown) => {
      const { name, checks } = value as { name: string; checks: string[] }
      await run(`${check} checked`)
      return { name, checks: [...checks, check] }
    }
    const answer = async () => ({ name: await run('answer'), checks: [] as string[], secret: 'x' })
    return t.router({
      before: t.procedure
        .output(output('before'))
        .use(cached({ cache, scope: null }))
        .query(answer),
      after: t.procedure
        .use(cached({ cache, scope: null }))
        .output(output('after'))
        .query(answer),
    })
  }

  test('an output parser in front of the cache runs for each answer; one behind it once, and what it gives is stored', async () => {
    const { a, b, runs } = await open(checkedOf)
    const trace = traceOf(a.cache)
    for (const path of ['before', 'after'] as const) {
      const first = await a.client()[path].query()
      expect(first).toEqual({ name: expect.stringMatching(/^answer by A/), checks: [path] })
      await trace.saw('publish', path === 'before' ? 1 : 2)
      expect(await b.client()[path].query()).toEqual(first)
    }
    expect(runs).toEqual(['answer', 'before checked', 'before checked', 'answer', 'after checked'])
  })
})
