import { normalizedExecutor } from '@graphql-tools/executor'
import * as graphql16 from 'graphql'
import * as graphql17 from 'graphql17'
import type { Payload } from '../../../src/adapters/graphql/results/incremental.ts'

/** What executes a query in parts, and the same query as a whole. */
export interface Engine {
  readonly name: string
  /** The parts, in order; one, where the whole came at once. */
  parts(source: string): Promise<Payload[]>
  /** The same source without `@defer` and `@stream`. */
  whole(source: string): Promise<graphql16.ExecutionResult>
}

/** A tree without end, of which some fields come late, and some fail. */
const TYPES = /* GraphQL */ `
  directive @defer(if: Boolean, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT
  directive @stream(if: Boolean, label: String, initialCount: Int = 0) on FIELD
  type Query { tree: Node }
  type Node {
    id: ID!
    name: String
    late: String
    broken: String
    strict: String!
    child: Node
    children: [Node!]!
    letters: [String]
  }
`

const ROOT = { tree: nodeOf('0') }

function nodeOf(id: string): object {
  return {
    id,
    name: `node ${id}`,
    late: async () => {
      await turns(id.length)
      return `late ${id}`
    },
    broken: async () => {
      await turns(1)
      throw new Error(`broken ${id}`)
    },
    strict: async () => {
      await turns(1)
      throw new Error(`strict ${id}`)
    },
    child: () => nodeOf(`${id}c`),
    children: async () => ['x', 'y', 'z'].map((letter) => nodeOf(id + letter)),
    async *letters() {
      for (const letter of 'abc') {
        await turns(2)
        yield letter
      }
    },
  }
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate)
}

/** All parts in one iterable, where they stand said by paths: as GraphQL Yoga and envelop have it. */
const byPath: Engine = {
  name: '@graphql-tools/executor',
  async parts(source) {
    const schema = graphql16.buildSchema(TYPES)
    const given = await normalizedExecutor({ schema, rootValue: ROOT, document: graphql16.parse(source) })
    return Symbol.asyncIterator in given ? allOf(given as AsyncIterable<Payload>) : [given]
  },
  async whole(source) {
    const schema = graphql16.buildSchema(TYPES)
    return (await normalizedExecutor({
      schema,
      rootValue: ROOT,
      document: graphql16.parse(undivided(source)),
    })) as never
  },
}

/** The first part and an iterable of the others, where they stand announced under ids. */
const byId: Engine = {
  name: 'graphql-js 17',
  async parts(source) {
    const schema = graphql17.buildSchema(TYPES)
    const document = graphql17.parse(source)
    const given = await graphql17.experimentalExecuteIncrementally({ schema, rootValue: ROOT, document })
    if (!('initialResult' in given)) return [given as never]
    return [given.initialResult as Payload, ...(await allOf(given.subsequentResults as AsyncIterable<Payload>))]
  },
  async whole(source) {
    const schema = graphql17.buildSchema(TYPES)
    const document = graphql17.parse(undivided(source))
    return (await graphql17.experimentalExecuteIncrementally({ schema, rootValue: ROOT, document })) as never
  },
}

export const ENGINES: readonly Engine[] = [byPath, byId]

async function allOf<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of iterable) all.push(one)
  return all
}

function undivided(source: string): string {
  return source.replaceAll(/@(?:defer|stream)(?:\([^)]*\))?/g, '')
}
