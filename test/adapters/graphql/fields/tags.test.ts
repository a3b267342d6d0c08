import { describe, expect, test } from 'vitest'
import { type FieldTown, type FieldTownOptions, useFieldTown } from './fieldTown.ts'

const open = useFieldTown()

/** Those of the tags whose invalidation at the second server takes the value away from the first. */
async function removing(town: FieldTown, query: string, tags: readonly string[]): Promise<string[]> {
  const found: string[] = []
  await town.ask(0, query)
  for (const [i, tag] of tags.entries()) {
    await town.ask(1, query)
    const before = town.runs.length
    await town.sites[1].cache.invalidate({ tags: [tag] })
    await town.trace.saw('invalidate', 2 * (i + 1))
    const { errors } = await town.ask(0, query)
    expect(errors).toBeUndefined()
    if (town.runs.length > before) found.push(tag)
  }
  return found
}

const BOOKS = {
  b1: { __typename: 'Book', id: 'b1', author: { id: 'a1' }, shelves: [['s1'], ['s2']], maker: null },
  b2: { __typename: 'Book', id: 'b2', author: { id: 'a2' }, shelves: [], maker: { __typename: 'Firm', id: 'f1' } },
}

const TYPES = `
  interface Node { id: ID! }
  type Author implements Node { id: ID! }
  type Firm implements Node { id: ID! }
  union Maker = Author | Firm
  type Book implements Node {
    id: ID!
    author: Author!
    shelves: [[String!]!]!
    maker: Maker
    FIELD
  }
  input Where { ids: [ID!] }
  type Query { book(id: ID!): Book, ROOT }`

/** A town with one cached field, at Query or at Book, that says so. */
const tagged = (
  at: 'Query' | 'Book',
  field: string,
  cached: object,
  give: () => unknown,
  more: Partial<FieldTownOptions> = {},
): FieldTownOptions => {
  const name = /^\w+/.exec(field)?.[0] as string
  return {
    typeDefs: TYPES.replace('FIELD', at === 'Book' ? field : '').replace('ROOT', at === 'Query' ? field : ''),
    resolvers({ run }) {
      const book = (_parent: unknown, { id }: { id: keyof typeof BOOKS }) => BOOKS[id]
      const resolve = async () => {
        await run(name)
        return give()
      }
      const it = { [name]: { extensions: { cached: { maxAge: 60, scope: 'PUBLIC', ...cached } }, resolve } }
      return at === 'Query' ? { Query: { book, ...it } } : { Query: { book }, Book: it }
    },
    ...more,
  }
}

const all = () => [BOOKS.b1, BOOKS.b2]

describe('the value of a field has', () => {
  const CASES: readonly [name: string, options: FieldTownOptions, query: string, yes: string[], no: string[]][] = [
    [
      'the tag of its coordinate, always',
      tagged('Query', 'news: String', {}, () => 'x'),
      '{ news }',
      ['field:Query.news'],
      ['news', 'Query.news', 'field:Query', 'Query'],
    ],
    [
      'what a template makes of arguments',
      tagged('Query', 'find(id: ID!): Book', { tags: ['Book:{args.id}', 'books'] }, () => BOOKS.b1),
      '{ find(id: "b9") { id } }',
      ['Book:b9', 'books', 'field:Query.find'],
      ['Book:b1', 'Book:{args.id}'],
    ],
    [
      'what it makes of a list of arguments',
      tagged('Query', 'many(where: Where): [Book]', { tags: ['Book:{args.where.ids[]}'] }, () => []),
      '{ many(where: { ids: ["x", "y"] }) { id } }',
      ['Book:x', 'Book:y'],
      ['Book:x,y', 'Book'],
    ],
    [
      'what it makes of the parent',
      tagged('Book', 'blurb: String', { tags: ['Book:{parent.id}', 'Author:{parent.author.id}'] }, () => 'x'),
      '{ book(id: "b2") { blurb } }',
      ['Book:b2', 'Author:a2', 'field:Book.blurb'],
      ['Book:b1', 'Author:a1'],
    ],
    [
      'what it makes of the value, in lists of lists, at any depth',
      tagged(
        'Query',
        'many: [Book!]!',
        { tags: ['{result[].id}', 'A:{result[].author.id}', 'S:{result[].shelves[][]}'] },
        all,
      ),
      '{ many { id } }',
      ['b1', 'b2', 'A:a1', 'A:a2', 'S:s1', 'S:s2'],
      ['S:', 'A:', 'S:s3'],
    ],
    [
      'what it makes of what was promised in a list',
      tagged('Query', 'many: [Book!]!', { tags: ['B:{result[].id}'], entities: true }, () =>
        all().map((book) => Promise.resolve(book)),
      ),
      '{ many { id } }',
      ['B:b1', 'B:b2', 'Book:b2', 'Author:a2'],
      ['B:b3'],
    ],
    [
      'what it makes of an abstract type, and nothing where there is null',
      tagged('Query', 'many: [Book!]!', { tags: ['Maker:{result[].maker.id}'] }, all),
      '{ many { id } }',
      ['Maker:f1'],
      ['Maker:', 'Maker:null', 'Maker:undefined'],
    ],
    [
      'what a function gives',
      tagged(
        'Query',
        'find(id: ID!): Book',
        {
          tags: ({ args, result, parent, context }: never) => [
            `${(args as { id: string }).id} ${(result as { id: string }).id} ${typeof parent} ${typeof context}`,
            '{args.id}',
          ],
        },
        () => BOOKS.b2,
      ),
      '{ find(id: "q") { id } }',
      ['q b2 undefined object', '{args.id}'],
      ['q'],
    ],
    [
      'entities where it says so',
      tagged('Query', 'many: [Book!]!', { entities: true }, all),
      '{ many { shelves } }',
      ['Book', 'Book:b1', 'Book:b2', 'Author', 'Author:a1', 'Firm:f1', 'Firm'],
      ['Book:a1', 'Author:b1', 'Author:f1'],
    ],
    [
      'entities where the options say so',
      tagged('Query', 'node: Node', {}, () => BOOKS.b1, { fields: { entities: true } }),
      '{ node { id } }',
      ['Book', 'Book:b1', 'Author:a1'],
      ['Firm:b1', 'Node', 'Node:b1'],
    ],
    [
      'no entities where it says that it has none',
      tagged('Query', 'node: Node', { entities: false }, () => BOOKS.b1, { fields: { entities: true } }),
      '{ node { id } }',
      ['field:Query.node'],
      ['Book', 'Book:b1'],
    ],
    [
      'the types that it could have where it has none',
      tagged('Query', 'node: Node', { entities: true }, () => null),
      '{ node { id } }',
      ['Book', 'Author', 'Firm'],
      ['Node'],
    ],
    [
      'ids by other names',
      tagged('Query', 'node: Node', { entities: true }, () => ({ __typename: 'Firm', key: 'k', id: 'i' }), {
        fields: { idFields: ['key', 'id'] },
      }),
      '{ node { id } }',
      ['Firm:k'],
      ['Firm:i'],
    ],
  ]
  test.each(CASES)('%s', async (_name, options, query, yes, no) => {
    const town = await open(options)
    await town.hit(query)
    expect(await removing(town, query, [...yes, ...no])).toEqual(yes)
  })
})

test('what an invalidation takes away is one parent of many', async () => {
  const town = await open(tagged('Book', 'blurb: String', { tags: ['Book:{parent.id}'] }, () => 'x'))
  const query = '{ one: book(id: "b1") { blurb } two: book(id: "b2") { blurb } }'
  await town.ask(0, query)
  await town.sites[0].cache.invalidate({ tags: ['Book:b1'] })
  expect((await town.ask(1, query)).came).toEqual({ 'Book.blurb': { hit: 1, led: 1 } })
})

describe('where tags can not be told it is said, and the value is not stored', () => {
  const FAILING: readonly [name: string, tags: unknown, give: () => unknown, message: string][] = [
    [
      'a function that throws',
      () => {
        throw new Error('no tags')
      },
      () => BOOKS.b1,
      'no tags',
    ],
    [
      'one that answers later',
      async () => {
        throw new Error('late')
      },
      () => BOOKS.b1,
      'tags returned a promise: it must answer at once',
    ],
    ['one that gives a text', () => 'Book', () => BOOKS.b1, 'tags must be an array of strings, got string'],
    ['one that gives something else', () => ['a', 7], () => BOOKS.b1, 'tags[1] must be a string, got number'],
    [
      'half of a surrogate pair',
      () => ['\ud800'],
      () => BOOKS.b1,
      'tags[0] is not well-formed Unicode: it has half of a surrogate pair',
    ],
    ['a template of what is not there', ['{result.id}'], () => ({}), 'an object without id was found'],
    [
      'a template of what is no text',
      ['{result.id}'],
      () => ({ id: new Date(0) }),
      'a text or a number was expected, not object',
    ],
  ]
  test.each(FAILING)('%s', async (_name, tags, give, message) => {
    const town = await open(tagged('Query', 'find: Book', { tags }, give))
    for (const site of [0, 1] as const) {
      const { data, errors, came } = await town.ask(site, '{ find { __typename } }')
      expect([data, errors]).toEqual([{ find: { __typename: 'Book' } }, undefined])
      expect(came).toEqual({ 'Query.find': { uncached: 1 } })
    }
    const told = expect.objectContaining({ option: 'tags', error: expect.objectContaining({ message }) })
    expect(town.trace.of('policyError')).toEqual([told, told])
    expect(town.trace.of('publish')).toEqual([])
  })
})

test.each([
  ['a tag that is known before', 'Book:7'],
  ['a tag that only the value has', 'of x'],
  ['its coordinate', 'field:Query.find'],
])('what a resolver read before an invalidation by %s is never stored', async (_name, tag) => {
  let kept = 'old'
  const town = await open({
    typeDefs: 'type Book { id: ID! text: String! } type Query { find(id: ID!): Book }',
    resolvers: ({ run }) => ({
      Query: {
        find: {
          extensions: { cached: { maxAge: 60, scope: 'PUBLIC', tags: ['Book:{args.id}', 'of {result.id}'] } },
          async resolve() {
            const text = kept
            await run('find')
            return { id: 'x', text }
          },
        },
      },
    }),
  })
  const query = '{ find(id: "7") { text } }'
  town.gate.shut()
  const before = [town.sites[0].ask(query), town.sites[1].ask(query)]
  await Promise.all([town.gate.holds(1), town.trace.saw('follow')])
  kept = 'new'
  await town.sites[1].cache.invalidate({ tags: [tag] })
  await town.trace.saw('invalidate', 2)
  const after = town.sites[0].ask(query)
  // Whoever asks behind it waits for what is read behind it, if it must.
  await town.trace.saw('miss', 3)
  town.gate.open()
  for (const { errors } of await Promise.all(before)) expect(errors).toBeUndefined()
  expect((await after).data).toEqual({ find: { text: 'new' } })
  for (const site of [0, 1, 0, 1] as const)
    expect((await town.ask(site, query)).data).toEqual({ find: { text: 'new' } })
})
