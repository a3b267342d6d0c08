import type { GraphQLFieldResolver, GraphQLObjectType, GraphQLSchema } from 'graphql'
import { expect } from 'vitest'
import type { Cache } from '../../../src/index.ts'
import { traceOf } from '../trace.ts'
import type { Kitchen, ShopContext } from './schema.ts'
import type { Answer, Question, Town } from './shop.ts'

type Resolvers = Record<string, Record<string, GraphQLFieldResolver<never, ShopContext>>>

/** A schema of a test's own. Fields of Query and Mutation count as runs, under their names; those of Query pass the gate. */
export function market(sdl: string, resolversOf: (kitchen: Kitchen) => Resolvers) {
  return (kitchen: Kitchen): GraphQLSchema => {
    const schema = kitchen.graphql.buildSchema(sdl)
    for (const [typeName, resolvers] of Object.entries(resolversOf(kitchen))) {
      const fields = (schema.getType(typeName) as GraphQLObjectType).getFields()
      for (const [name, resolve] of Object.entries(resolvers)) {
        const isRoot = typeName === 'Query' || typeName === 'Mutation'
        Object.assign(fields[name] as object, { resolve: isRoot ? counted(kitchen, typeName, name, resolve) : resolve })
      }
    }
    return schema
  }
}

function counted(
  { runs, gate }: Kitchen,
  typeName: string,
  name: string,
  resolve: GraphQLFieldResolver<never, ShopContext>,
) {
  return async (...args: Parameters<typeof resolve>) => {
    runs.push(name)
    // What is read before the gate is what was there before it opened; what is thrown is thrown behind it.
    const [made] = await Promise.allSettled([(async () => resolve(...args))()])
    if (typeName === 'Query') await gate.pass()
    if (made.status === 'rejected') throw made.reason
    return made.value
  }
}

/** Resolves when everything that the caches lead has ended. */
export async function settled(...caches: readonly Cache[]): Promise<void> {
  const open = ({ events }: ReturnType<Cache['stats']>) =>
    events.lead - events.publish - events.share - events.release - events.fenced
  await expect.poll(() => caches.map((cache) => open(cache.stats())), { timeout: 5000 }).toEqual(caches.map(() => 0))
}

/** Asks the first shop and then the second, and says whether the second had it without running anything. */
export async function isCached({ shops, runs }: Town, query: string, question?: Question): Promise<boolean> {
  const [a, b] = shops
  const first = await a.ask(query, question)
  await settled(a.cache, b.cache)
  const before = runs.length
  const second = await b.ask(query, question)
  await settled(a.cache, b.cache)
  expect(second.body.data).toEqual(first.body.data)
  return runs.length === before
}

/** Those of the groups of tags whose invalidation at the second shop takes the response away from the first. */
export async function removing(town: Town, query: string, groups: readonly (readonly string[])[]): Promise<string[]> {
  const { shops, runs } = town
  expect(await isCached(town, query)).toBe(true)
  const removed: string[] = []
  for (const tags of groups) {
    const before = runs.length
    await shops[1].cache.invalidate({ tags })
    await shops[0].ask(query)
    await settled(shops[0].cache, shops[1].cache)
    if (runs.length > before) removed.push(tags.join())
  }
  return removed
}

/** On a busy machine a store may need longer than caches wait for it: what is counted here is what it says. */
export const PATIENT = { commandTimeout: 5000 }

/**
 * Asks as u0 … u4 while the gate is shut: u0 leads at the first shop, u1 and u2 join it there, u3 follows at the second; u4
 * comes when all have their answers, and the gate is open.
 */
export async function crowd({ shops, gate }: Town, query: string): Promise<Answer[]> {
  const [a, b] = shops
  const trace = traceOf(a.cache, b.cache)
  gate.shut()
  const asking = [a.ask(query, { user: 'u0' })]
  await gate.holds(1)
  for (const user of ['u1', 'u2']) asking.push(a.ask(query, { user }))
  asking.push(b.ask(query, { user: 'u3' }))
  await Promise.all([trace.saw('join', 2), trace.saw('follow')])
  gate.open()
  const answers = await Promise.all(asking)
  await settled(a.cache, b.cache)
  return [...answers, await b.ask(query, { user: 'u4' })]
}
