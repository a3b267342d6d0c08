import { type GraphQLResolveInfo, graphql } from 'graphql'
import { describe, expect, inject, test } from 'vitest'
import { StoreError } from '../../../../src/index.ts'
import { redisStore } from '../../../../src/stores/redis/index.ts'
import { gatedStore } from '../../../core/gates.ts'
import { type FieldTownOptions, useFieldTown } from './fieldTown.ts'

const openTown = useFieldTown()

/** Executes the document, then waits at the gate. */
const madeOf =
  (document: string, run: (what: string) => Promise<number>) =>
  async (_parent: unknown, _args: unknown, contextValue: unknown, info: GraphQLResolveInfo) => {
    const { data } = await graphql({ schema: info.schema, source: document, contextValue })
    await run('outer')
    return Object.values(data ?? {}).join(', ')
  }

const options: FieldTownOptions = {
  typeDefs: `
    type Query {
      price: String! @cached(maxAge: 60, scope: PUBLIC, tags: ["prices"])
      stock: String! @cached(maxAge: 60, scope: PUBLIC, tags: ["stocks"])
      outer: String! @cached(maxAge: 60, scope: PUBLIC)
      plain: String!
    }`,
  resolvers: ({ run }) => ({
    Query: {
      price: async () => `price ${await run('price')}`,
      stock: async () => `stock ${await run('stock')}`,
      outer: madeOf('{ price stock }', run),
      plain: () => 'plain',
    },
  }),
  responses: {},
}

/** A town whose caches wait where a gate is. */
async function open(more: Partial<FieldTownOptions> = {}) {
  const gates = gatedStore(redisStore(inject('redisUrl')))
  return { gates, town: await openTown({ ...options, ...more, cache: { store: gates } }) }
}

type Town = Awaited<ReturnType<typeof open>>['town']

const invalidated = (town: Town, tag: string) => town.sites[0].cache.invalidate({ tags: [tag] })

async function cameOf(town: Town, site: 0 | 1, query: string) {
  const { text, data, came } = await town.ask(site, query)
  const { extensions } = JSON.parse(text) as { extensions: { responseCache?: { hit: boolean; didCache?: boolean } } }
  return { data, came, ...extensions.responseCache }
}

describe('what is made of a value from before an invalidation is not stored behind it:', () => {
  test('a response that had it from the store, where it was not removed yet', async () => {
    const { town, gates } = await open()
    await town.ask(0, 'query First { price }')
    const removing = gates.before('remove')
    const invalidating = invalidated(town, 'prices')
    await removing.reached
    expect(await cameOf(town, 1, '{ price plain }')).toMatchObject({ didCache: false, data: { price: 'price 1' } })
    removing.open()
    await invalidating
    expect((await town.ask(0, '{ price plain }')).data).toEqual({ price: 'price 2', plain: 'plain' })
  })

  test('a field that had it from there', async () => {
    const { town, gates } = await open({ responses: undefined } as object)
    await town.ask(0, '{ price stock }')
    const removing = gates.before('remove')
    const invalidating = invalidated(town, 'prices')
    await removing.reached
    expect((await town.ask(1, '{ outer }')).data).toEqual({ outer: 'price 1, stock 2' })
    removing.open()
    await invalidating
    expect((await town.ask(0, '{ outer }')).data).toEqual({ outer: expect.stringMatching(/^price [^1], stock 2$/) })
  })

  test('a response that waited for one whose run began before', async () => {
    const { town, gates } = await open()
    town.gate.shut()
    const first = town.sites[1].ask('query First { price }')
    await town.gate.holds(1)
    const telling = gates.before('announce')
    const invalidating = invalidated(town, 'prices')
    await telling.reached
    const second = town.sites[1].ask('query Second { price }')
    await town.trace.saw('join')
    telling.open()
    await invalidating
    town.gate.open()
    for (const { data } of await Promise.all([first, second])) expect(data).toEqual({ price: 'price 1' })
    for (const query of ['query Second { price }', 'query First { price }']) {
      expect((await town.ask(0, query)).data).toEqual({ price: 'price 2' })
    }
  })

  test('a response that waited for one that was resolved while the store was away', async () => {
    const { town, gates } = await open()
    town.gate.shut()
    gates.fails(new StoreError('UNREACHABLE', 'away'), 'claim')
    const first = town.sites[1].ask('query First { price }')
    await town.gate.holds(1)
    gates.heals()
    const telling = gates.before('announce')
    const invalidating = invalidated(town, 'prices')
    await telling.reached
    const second = town.sites[1].ask('query Second { price }')
    await town.trace.saw('join')
    telling.open()
    await invalidating
    town.gate.open()
    for (const { data } of await Promise.all([first, second])) expect(data).toEqual({ price: 'price 1' })
    expect((await town.ask(0, 'query Second { price }')).data).toEqual({ price: 'price 2' })
  })

  test('a response that waited for one that is made of it', async () => {
    const { town, gates } = await open()
    await town.ask(0, 'query First { price stock }')
    const removing = gates.before('remove')
    const telling = gates.before('announce')
    const invalidating = invalidated(town, 'prices')
    await removing.reached
    town.gate.shut()
    const leading = town.sites[1].ask('query Leading { outer }')
    await town.gate.holds(1)
    const joining = town.sites[1].ask('query Joining { outer }')
    await town.trace.saw('join')
    removing.open()
    await telling.reached
    town.gate.open()
    for (const { data } of await Promise.all([leading, joining])) expect(data).toEqual({ outer: 'price 1, stock 2' })
    telling.open()
    await invalidating
    const { data } = await town.ask(0, 'query Joining { outer }')
    expect(data).toEqual({ outer: expect.stringMatching(/^price [^1], stock 2$/) })
  })
})

describe('what was invalidated before is no reason not to store', () => {
  test('a response with an older value of another tag', async () => {
    const { town } = await open()
    await town.ask(0, '{ price stock }')
    await invalidated(town, 'stocks')
    expect(await cameOf(town, 0, '{ price stock }')).toMatchObject({
      didCache: true,
      came: { 'Query.price': { hit: 1 }, 'Query.stock': { led: 1 } },
    })
    expect(await cameOf(town, 1, '{ price stock }')).toMatchObject({ hit: true })
  })

  test('nor one with a stored value that is made of both', async () => {
    const { town } = await open()
    await town.ask(0, '{ price stock }')
    await invalidated(town, 'stocks')
    expect(await cameOf(town, 0, 'query First { outer }')).toMatchObject({ didCache: true })
    expect(await cameOf(town, 1, 'query Second { outer }')).toMatchObject({
      didCache: true,
      came: { 'Query.outer': { hit: 1 } },
    })
  })
})
