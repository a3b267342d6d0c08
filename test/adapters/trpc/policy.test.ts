import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type CachedOptions, cached } from '../../../src/adapters/trpc/index.ts'
import { PATIENT, settled } from '../graphql/market.ts'
import { STORES } from '../stores.ts'
import { traceOf } from '../trace.ts'
import { type Bench, type Context, type Twin, t, useTwins } from './twins.ts'

const Input = z.object({ id: z.string(), note: z.string().default('') })
type Options = Partial<CachedOptions<Context, { id: string; note: string }>>

const shopWith =
  (options: Options) =>
  ({ cache, run }: Bench) => {
    const query = t.procedure.input(Input).use(cached({ cache, scope: null, ...options }))
    return t.router({
      ask: query.query(async ({ input }) => ({ id: input.id, by: await run(`${input.id}${input.note}`) })),
      tell: query.query(async ({ input }) => ({ id: input.id, by: await run(`${input.id}${input.note}`) })),
    })
  }
type Shop = ReturnType<ReturnType<typeof shopWith>>

const throws = () => {
  throw new Error('no idea')
}

describe.each(STORES)('options of cached, over $name', ({ make }) => {
  const openTwins = useTwins(make)
  const open = async (options: Options) => {
    const twins = await openTwins(shopWith(options), { cache: PATIENT })
    const { a, b, runs } = twins
    return {
      ...twins,
      trace: traceOf(a.cache, b.cache),
      /** Asks one after the other. @returns what ran */
      async inTurn(...questions: readonly ((client: ReturnType<Twin<Shop>['client']>) => Promise<unknown>)[]) {
        const before = runs.length
        for (const [i, question] of questions.entries()) {
          await question((i % 2 === 0 ? a : b).client())
          await settled(a.cache, b.cache)
        }
        return runs.slice(before)
      },
    }
  }
  const ask =
    (id: string, note = '', path: 'ask' | 'tell' = 'ask') =>
    (client: ReturnType<Twin<Shop>['client']>) =>
      client[path].query({ id, note })

  test('key stands in the place of the input, and leaves path and scope where they are', async () => {
    const { inTurn } = await open({ key: ({ input }) => [input.id] })
    expect(await inTurn(ask('1'), ask('1', 'x'), ask('2', 'y'), ask('1', 'z', 'tell'))).toEqual(['1', '2y', '1z'])
    const scoped = await open({ key: () => 'one', scope: ({ ctx }) => ctx.user })
    for (const user of ['ann', 'bob', 'ann']) {
      await scoped.a.client({ user }).ask.query({ id: user })
      await settled(scoped.a.cache)
    }
    expect(scoped.runs).toEqual(['ann', 'bob'])
  })

  test('key may be anything that a key can have: a Date, a Map, undefined', async () => {
    const { inTurn } = await open({ key: ({ input }) => new Map([['at', new Date(Number(input.id))]]) })
    expect(await inTurn(ask('1'), ask('1', 'x'), ask('2'))).toEqual(['1', '2'])
    const nothing = await open({ key: () => undefined })
    expect(await nothing.inTurn(ask('1'), ask('2'), ask('3', 'x'))).toEqual(['1'])
  })

  test('vary stands in the key besides the input', async () => {
    const { a, runs } = await open({ vary: ({ ctx, path }) => [ctx.user?.slice(0, 2), path] })
    for (const [id, user] of [
      ['1', 'de ann'],
      ['1', 'de bob'],
      ['1', 'en ann'],
      ['2', 'de ann'],
    ] as const) {
      await a.client({ user }).ask.query({ id })
      await settled(a.cache)
    }
    expect(runs).toEqual(['1', '1', '2'])
  })

  test('vary that gives nothing is one more place in the key, and always the same', async () => {
    const { inTurn } = await open({ vary: () => undefined })
    expect(await inTurn(ask('1'), ask('1'), ask('1'))).toEqual(['1'])
  })

  test.each<[string, Options, string]>([
    ['key that throws', { key: throws }, "its key can't be made: no idea"],
    ['key that rejects', { key: () => Promise.reject(new Error('late')) }, "its key can't be made: late"],
    ['key that gives a function', { key: () => throws }, 'function'],
    ['key that gives a symbol', { key: () => Symbol('x') }, 'symbol'],
    ['vary that throws', { vary: throws }, "its key can't be made: no idea"],
    ['vary that rejects', { vary: () => Promise.reject(new Error('late')) }, "its key can't be made: late"],
    ['vary that gives an instance of a class', { vary: () => new (class Tenant {})() }, 'Tenant'],
    ['enabled that throws', { enabled: throws }, 'enabled failed: no idea'],
    [
      'enabled that gives a promise',
      { enabled: (async () => true) as never },
      'enabled failed: enabled returned a promise',
    ],
    [
      'enabled that gives nothing',
      { enabled: (() => undefined) as never },
      'enabled failed: enabled returned undefined',
    ],
    ['enabled that gives a text', { enabled: (() => 'off') as never }, 'enabled failed: enabled returned "off"'],
  ])('%s: answered uncached, with one bypass event each', async (_what, options, reason) => {
    const { inTurn, trace } = await open(options)
    expect(await inTurn(ask('1'), ask('1'))).toEqual(['1', '1'])
    expect(trace.events).toEqual(
      [1, 2].map(() => ({ type: 'bypass', what: 'tRPC query ask', reason: expect.stringContaining(reason) })),
    )
  })

  test('enabled is asked for each call, with it; what is not enabled asks nothing and keeps nothing', async () => {
    const { inTurn, trace } = await open({ enabled: ({ input, path }) => input.note === '' && path === 'ask' })
    expect(await inTurn(ask('1', 'off'), ask('1', 'off'))).toEqual(['1off', '1off'])
    expect(trace.events).toEqual([])
    expect(await inTurn(ask('1'), ask('1'), ask('2', '', 'tell'), ask('2', '', 'tell'))).toEqual(['1', '2', '2'])
    const never = await open({ enabled: false })
    expect(await never.inTurn(ask('1'), ask('1'))).toEqual(['1', '1'])
    expect(never.trace.events).toEqual([])
  })

  test('shouldCache, as a flag and as a function of the answer', async () => {
    const never = await open({ shouldCache: false })
    expect(await never.inTurn(ask('1'), ask('1'))).toEqual(['1', '1'])
    expect(never.trace.of('policyError')).toEqual([])
    const seen: unknown[] = []
    const some = await open({
      shouldCache({ ctx, input, path, data }) {
        seen.push([ctx.user, input.id, path, (data as { id: string }).id])
        return input.note === ''
      },
    })
    expect(await some.inTurn(ask('1', 'x'), ask('1', 'x'), ask('1'), ask('1'))).toEqual(['1x', '1x', '1'])
    expect(seen).toEqual([1, 2, 3].map(() => [undefined, '1', 'ask', '1']))
  })

  test('ttl, as a function of the answer: 0 is shared with those who wait, and not kept', async () => {
    const { a, b, gate, runs, trace, inTurn } = await open({
      ttl: ({ input, data }) => (input.note === '' && (data as { id: string }).id === '1' ? 60_000 : 0),
    })
    expect(await inTurn(ask('1'), ask('1'), ask('2'), ask('2'))).toEqual(['1', '2', '2'])
    const before = runs.length
    gate.shut()
    const asking = [a, a, b].map((twin) => twin.client().ask.query({ id: '3' }))
    await Promise.all([gate.holds(1), trace.saw('join'), trace.saw('follow')])
    gate.open()
    const [first, ...others] = await Promise.all(asking)
    expect(others).toEqual([first, first])
    expect(runs).toHaveLength(before + 1)
    await settled(a.cache, b.cache)
    expect(await inTurn(ask('3'))).toEqual(['3'])
  })

  test.each<[string, string, unknown]>([
    ['ttl', 'throws', throws],
    ['ttl', 'returns a promise', async () => 5],
    ['ttl', 'returns a text', () => '5'],
    ['ttl', 'returns NaN', () => Number.NaN],
    ['ttl', 'returns nothing', () => undefined],
    ['shouldCache', 'throws', throws],
    ['shouldCache', 'returns a promise', async () => true],
    ['shouldCache', 'returns a promise that rejects', () => Promise.reject(new Error('late'))],
  ])('%s that %s: answered, not kept, with a policyError each', async (option, _how, given) => {
    const { inTurn, trace } = await open({ [option]: given })
    expect(await inTurn(ask('1'), ask('1'))).toEqual(['1', '1'])
    expect(trace.of('policyError').map((event) => event.option)).toEqual([option, option])
  })
})
