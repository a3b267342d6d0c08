import { initTRPC } from '@trpc/server'
import { parse, stringify } from 'devalue'
import { describe, expect, test } from 'vitest'
import { cached } from '../../../src/adapters/trpc/index.ts'
import { STORES } from '../stores.ts'
import { traceOf } from '../trace.ts'
import { type Context, type transformer, useTwins } from './twins.ts'

class Point {
  readonly x: number
  constructor(x: number) {
    this.x = x
  }
}

/** devalue, and a class of the application's. */
const withPoint: typeof transformer = {
  serialize: (value) => stringify(value, { Point: (point: unknown) => point instanceof Point && point.x }),
  deserialize: (text) => parse(text, { Point: (x: number) => new Point(x) }),
}

const app = initTRPC.context<Context>().create({ transformer: withPoint })

describe.each(STORES)('what clients send as input, over $name', ({ make }) => {
  const open = useTwins(make)

  const openEcho = () =>
    open(
      ({ cache, run }) =>
        app.router({
          ask: app.procedure
            .use(cached({ cache, scope: null }))
            .input((input) => input)
            .query(() => run('ask')),
        }),
      { transformer: withPoint },
    )

  test.each<[string, unknown]>([
    ['too deep', nested(150)],
    ['an instance of a class', { at: new Point(1) }],
    ['a cycle', cycle()],
  ])('%s: answered uncached, with one bypass event', async (_what, input) => {
    const { a, runs } = await openEcho()
    const trace = traceOf(a.cache)
    const caller = app.createCallerFactory(a.router)({ user: undefined })
    for (let i = 0; i < 2; i++) expect(await caller.ask(input)).toMatch(/^ask by A/)
    expect(runs).toHaveLength(2)
    expect(trace.events.map(({ type }) => type)).toEqual(['bypass', 'bypass'])
    expect(trace.of('bypass').map(({ what }) => what)).toEqual(['tRPC query ask', 'tRPC query ask'])
  })

  test('the same over HTTP, behind a transformer that makes instances', async () => {
    const { a, b, runs } = await openEcho()
    const trace = traceOf(a.cache, b.cache)
    for (const input of [{ at: new Point(1) }, nested(120)]) {
      for (const twin of [a, b]) expect(await twin.client().ask.query(input)).toMatch(/^ask by/)
    }
    expect(runs).toHaveLength(4)
    expect(trace.events.map(({ type }) => type)).toEqual(Array.from({ length: 4 }, () => 'bypass'))
  })

  test('a few bytes that stand for a billion values: answered uncached, with one bypass event', async () => {
    const { a } = await openEcho()
    const trace = traceOf(a.cache)
    expect(await a.client().ask.query(billion())).toMatch(/^ask by A/)
    expect(trace.events.map(({ type }) => type)).toEqual(['bypass'])
  })

  test('inputs that differ are never one key', async () => {
    const { a, runs } = await openEcho()
    const inputs = [
      undefined,
      null,
      0,
      -0,
      '',
      '0',
      0n,
      false,
      [],
      {},
      [undefined],
      [null],
      { a: undefined },
      { a: null },
      new Date(0),
      '1970-01-01T00:00:00.000Z',
      new Map(),
      new Set(),
      new Map([[1, 2]]),
      JSON.parse('{"__proto__":1}'),
      { constructor: 1 },
      ['a', 'b'],
      ['a,b'],
      'null',
    ]
    const caller = app.createCallerFactory(a.router)({ user: undefined })
    const first: unknown[] = []
    for (const input of inputs) first.push(await caller.ask(input))
    expect(new Set(first).size).toBe(inputs.length)
    expect(runs).toHaveLength(inputs.length)
    const again: unknown[] = []
    for (const input of inputs) again.push(await caller.ask(input))
    expect(again).toEqual(first)
  })

  test('Dates, Maps and members in any order are the same key again, over HTTP too', async () => {
    const { a, b, runs } = await openEcho()
    const trace = traceOf(a.cache)
    const first = await a.client().ask.query({ at: new Date(5), map: new Map([[1, { x: 1, y: 2 }]]), n: 5n })
    await trace.saw('publish')
    expect(await b.client().ask.query({ n: 5n, map: new Map([[1, { y: 2, x: 1 }]]), at: new Date(5) })).toBe(first)
    expect(runs).toHaveLength(1)
  })
})

function nested(depth: number): object {
  let value: object = {}
  for (let i = 0; i < depth; i++) value = { value }
  return value
}

function cycle(): object {
  const value: { self?: object } = {}
  value.self = value
  return value
}

/** Little to send, and 2^30 strings to walk. */
function billion(): unknown {
  let value: unknown = 'x'
  for (let i = 0; i < 30; i++) value = [value, value]
  return value
}
