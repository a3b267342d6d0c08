import { GraphQLError } from 'graphql'
import { describe, expect, test } from 'vitest'
import { setCacheHint } from '../../../../src/adapters/graphql/yoga.ts'
import { aged, IF_ERROR } from './aging.ts'
import {
  type FieldContext,
  type FieldsOptions,
  type FieldTown,
  type FieldTownOptions,
  useFieldTown,
} from './fieldTown.ts'

const open = useFieldTown()

type Info = Parameters<typeof setCacheHint>[0]

/** What the resolver does from its second run on. */
type Later = (context: FieldContext, info: Info, count: number) => unknown

interface Said {
  readonly fields?: FieldsOptions
  /** In the extensions of the field. */
  readonly cached?: object
  readonly type?: string
  readonly first?: unknown
}

/** A town in which a value of `Query.it` is stored, and has been fresh; its resolver does `later` from now on. */
async function openStale(later: Later, { fields = {}, cached = {}, type = 'String', first = 'it 1' }: Said = {}) {
  const options: FieldTownOptions = {
    typeDefs: `type Query { it: ${type} @cached(maxAge: 60, staleIfError: 600, scope: PUBLIC), plain: String }`,
    resolvers: ({ run }) => ({
      Query: {
        plain: () => 'plain',
        it: {
          extensions: { cached },
          async resolve(_parent: unknown, _args: unknown, context: FieldContext, info: Info) {
            const count = await run('it')
            return count === 1 ? first : later(context, info, count)
          },
        },
      },
    }),
    fields,
    yoga: { maskedErrors: false },
  }
  const town = await open(options)
  await town.ask(0, '{ it }')
  await aged(town, IF_ERROR)
  return town
}

/** Each of them is asked again before it would try again, but on a very slow machine. */
const SITES = [0, 1, 0, 0, 0, 0, 0] as const

const STALE = { 'Query.it': { stale: 1 } }

async function expectStale(town: FieldTown, data: object = { it: 'it 1' }): Promise<void> {
  for (const site of SITES) {
    const answer = await town.ask(site, '{ it plain }')
    expect([answer.data, answer.errors, answer.came]).toEqual([{ ...data, plain: 'plain' }, undefined, STALE])
  }
}

const fail = (error: unknown) => () => {
  throw error
}
const coded = (code: string) => new GraphQLError('no', { extensions: { code } })
const withStatus = (status: number) => Object.assign(new Error('no'), { status })

describe('a stale value is answered in the place of', () => {
  const HIDDEN: readonly [name: string, later: Later][] = [
    ['an error that is thrown', fail(new Error('down'))],
    ['one that is returned', () => new Error('down')],
    ['what is no Error', fail('down')],
    ['a GraphQLError', fail(new GraphQLError('down'))],
    ['one that says INTERNAL_SERVER_ERROR', fail(coded('INTERNAL_SERVER_ERROR'))],
    ['status 503', fail(withStatus(503))],
    ['status 429', fail(withStatus(429))],
    ['one made of such', fail(new GraphQLError('down', { originalError: withStatus(503) }))],
  ]
  test.each(HIDDEN)('%s', async (_name, later) => {
    const town = await openStale(later)
    await expectStale(town)
    // Each site has tried it, and does not for every request.
    expect(town.runs.length).toBeLessThan(1 + SITES.length - 2)
    expect(town.trace.of('stale').map(({ reason }) => reason)).toEqual(SITES.map(() => 'error'))
  })

  const list = { type: '[String]', first: ['a', 'b'] }
  const LISTS: readonly [name: string, later: Later][] = [
    ['a list in which one failed', () => ['a', Promise.reject(new Error('down'))]],
    ['a list in which one is an error', () => ['a', new Error('down')]],
    ['a list of lists in which one failed', () => [['a'], [Promise.reject(new Error('down'))]]],
  ]
  test.each(LISTS)('%s', async (_name, later) => {
    await expectStale(await openStale(later, list), { it: ['a', 'b'] })
  })

  test('what takes longer than softTimeout; what that gives is stored', async () => {
    const town = await openStale((_context, _info, count) => `it ${count}`, { fields: { softTimeout: 20 } })
    town.gate.shut()
    const { data, errors, came } = await town.sites[1].ask('{ it }')
    expect([data, errors, came]).toEqual([{ it: 'it 1' }, undefined, STALE])
    await town.gate.holds(1)
    town.gate.open()
    await town.trace.saw('publish', 2)
    expect((await town.ask(0, '{ it }')).data).toEqual({ it: 'it 2' })
    expect(town.trace.of('stale').map(({ reason }) => reason)).toEqual(['softTimeout'])
  })

  test('what is waited for too long, where onWaitTimeout says so', async () => {
    const fields = { waitTimeout: 20, onWaitTimeout: 'stale' } as const
    const town = await openStale((_context, _info, count) => `it ${count}`, { fields })
    town.gate.shut()
    const leading = town.sites[0].ask('{ it }')
    await town.gate.holds(1)
    const { data, came } = await town.sites[1].ask('{ it }')
    expect([data, came]).toEqual([{ it: 'it 1' }, STALE])
    town.gate.open()
    expect((await leading).data).toEqual({ it: 'it 2' })
  })
})

test('all who wait get it, at both sites', async () => {
  const town = await openStale(fail(new Error('down')))
  town.gate.shut()
  const asking = [0, 0, 1, 1].map((site) => town.sites[site as 0 | 1].ask('{ it }'))
  await Promise.all([town.gate.holds(1), town.trace.saw('join', 2), town.trace.saw('follow')])
  town.gate.open()
  for (const { data, errors, came } of await Promise.all(asking)) {
    expect([data, errors, came]).toEqual([{ it: 'it 1' }, undefined, STALE])
  }
  expect(town.runs).toHaveLength(2)
})

describe('an error is told although there is a stale value:', () => {
  const TOLD: readonly [name: string, error: Error][] = [
    ['NOT_FOUND', coded('NOT_FOUND')],
    ['FORBIDDEN', coded('FORBIDDEN')],
    ['what says so only in its text', new Error('no: 403 Forbidden')],
    ['BAD_USER_INPUT', coded('BAD_USER_INPUT')],
    ['status 404', withStatus(404)],
    ['what is made of status 404', new GraphQLError('no', { originalError: withStatus(404) })],
  ]
  test.each(TOLD)('%s', async (_name, error) => {
    const town = await openStale(fail(error))
    for (const site of [0, 1] as const) {
      const { data, errors, came } = await town.ask(site, '{ it }')
      expect([data, errors?.map(({ message }) => message), came]).toEqual([{ it: null }, [error.message], {}])
    }
    // The next one tries it again.
    expect([town.runs.length, town.trace.of('stale')]).toEqual([3, []])
  })

  test.each([
    ['one of a member of a list, beside the others', ['new', coded('NOT_FOUND')]],
    ['also where another of them is down', [new Error('down'), coded('NOT_FOUND')]],
  ])('%s', async (_name, list) => {
    const town = await openStale(() => list, { type: '[String]', first: ['a', 'b'] })
    town.gate.shut()
    const asking = [0, 0, 1, 1].map((site) => town.sites[site as 0 | 1].ask('{ it }'))
    await Promise.all([town.gate.holds(1), town.trace.saw('join', 2), town.trace.saw('follow')])
    town.gate.open()
    for (const { data, errors, came } of await Promise.all(asking)) {
      expect(data).toEqual({ it: list.map((member) => (member instanceof Error ? null : member)) })
      expect(errors?.map(({ message }) => message)).toContain('no')
      expect(came).toEqual({ 'Query.it': { uncached: 1 } })
    }
  })

  test('one of a resolver that says it is PRIVATE, to whoever asked', async () => {
    const town = await openStale(({ user }, info) => {
      setCacheHint(info, { scope: 'PRIVATE' })
      throw new Error(`down for ${user}`)
    })
    for (const user of ['ann', 'bob']) {
      const { errors } = await town.ask(1, '{ it }', { user })
      expect(errors?.map(({ message }) => message)).toEqual([`down for ${user}`])
    }
  })
})

describe('isOutage', () => {
  const hidesAll = () => true
  const hidesNone = () => false
  const SAID: readonly [name: string, said: Said, error: Error, hidden: boolean][] = [
    ['of the options', { fields: { isOutage: hidesAll } }, coded('NOT_FOUND'), true],
    ['of the field', { cached: { isOutage: hidesAll } }, coded('NOT_FOUND'), true],
    [
      'of the options, but of none that speaks of rights,',
      { fields: { isOutage: hidesAll } },
      coded('FORBIDDEN'),
      false,
    ],
    [
      'of the field, in the place of that of the options',
      { fields: { isOutage: hidesAll }, cached: { isOutage: hidesNone } },
      new Error('no'),
      false,
    ],
  ]
  test.each(SAID)('%s says which errors are hidden', async (_name, said, error, hidden) => {
    const town = await openStale(fail(error), said)
    const { data, errors } = await town.ask(1, '{ it }')
    expect([data, errors?.length]).toEqual(hidden ? [{ it: 'it 1' }, undefined] : [{ it: null }, 1])
  })

  test('is given what the resolver threw, and what that was made of', async () => {
    const seen: unknown[] = []
    const originalError = new Error('made of')
    const error = new GraphQLError('no', { originalError })
    const isOutage = (one: unknown) => seen.push(one) > 0
    await expectStale(await openStale(fail(error), { fields: { isOutage } }))
    expect(seen.slice(0, 2)).toEqual([error, originalError])
    expect(seen[0]).toBe(error)
    expect(seen[1]).toBe(originalError)
  })

  test('that throws is told, and hides nothing', async () => {
    const isOutage = fail(new Error('who knows'))
    const town = await openStale(fail(new Error('down')), { fields: { isOutage } })
    const { errors } = await town.ask(1, '{ it }')
    expect(errors?.map(({ message }) => message)).toEqual(['down'])
    expect(town.trace.of('policyError')[0]).toMatchObject({ option: 'isOutage', error: new Error('who knows') })
  })
})
