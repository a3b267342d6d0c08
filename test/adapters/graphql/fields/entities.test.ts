import { buildSchema, type GraphQLObjectType } from 'graphql'
import { describe, expect, test } from 'vitest'
import { entityTags } from '../../../../src/adapters/graphql/fields/entities.ts'

const schema = buildSchema(`
  interface Named { name: String }
  type Author implements Named { id: ID!, name: String, books: [Book!], friend: Author }
  type Publisher implements Named { key: ID!, name: String }
  union Maker = Author | Publisher
  type Money { cents: Int, of: Book }
  type Book { id: ID!, authors: [Author!], price: Money, maker: Maker, named: Named, shelf: [[Named]] }
  type Query {
    text: String
    texts: [String]
    book: Book
    books: [[Book!]]!
    maker: Maker
    named: Named!
    money: Money
  }
`)

function tags(field: string, value: unknown, idFields: readonly string[] = ['id']): string[] {
  const { type } = (schema.getType('Query') as GraphQLObjectType).getFields()[field] ?? {}
  if (type === undefined) throw new Error('no field')
  return [...entityTags(value, type, { schema, idFields })].sort()
}

const author = (id: unknown, more: object = {}) => ({ __typename: 'Author', id, ...more })

test('a text has none, nor has a list of them', () => {
  expect([tags('text', 'x'), tags('texts', ['x', null])]).toEqual([[], []])
})

describe('an object has its type, and its id where it has one', () => {
  const FOUND: readonly [field: string, value: unknown, found: readonly string[]][] = [
    ['book', { id: 'a' }, ['Book', 'Book:a']],
    ['book', { id: 0 }, ['Book', 'Book:0']],
    ['book', { id: 7n }, ['Book', 'Book:7']],
    ['book', { title: 'x' }, ['Book']],
    ['book', { id: null }, ['Book']],
    ['book', { id: { $oid: 1 } }, ['Book']],
    ['money', { cents: 1 }, ['Money']],
    ['book', { id: '\ud800' }, ['Book', 'Book:\ufffd']],
    ['books', [[{ id: 1 }], [{ id: 2 }, { id: 1 }]], ['Book', 'Book:1', 'Book:2']],
    ['books', [new Set([{ id: 1 }])], ['Book', 'Book:1']],
    ['books', new Set([[{ id: 1 }]]), ['Book', 'Book:1']],
  ]
  test.each(FOUND)('%s case %#', (field, value, found) => {
    expect(tags(field, value)).toEqual(found)
  })
})

describe('of what is not there the types count that could be', () => {
  const MISSING: readonly [field: string, value: unknown, found: readonly string[]][] = [
    ['book', null, ['Book']],
    ['book', undefined, ['Book']],
    ['books', [], ['Book']],
    ['books', [[], [{ id: 1 }]], ['Book', 'Book:1']],
    ['books', [null, [null]], ['Book']],
    ['maker', null, ['Author', 'Publisher']],
    ['named', null, ['Author', 'Publisher']],
    ['text', null, []],
  ]
  test.each(MISSING)('%s case %#', (field, value, found) => {
    expect(tags(field, value)).toEqual(found)
  })
})

test('objects inside are found by the fields of their types, at every depth', () => {
  const book = {
    id: 1,
    authors: [author(2, { books: [{ id: 3 }], friend: author(4) })],
    price: { cents: 5, of: { id: 6 } },
    maker: { __typename: 'Publisher', id: 7 },
    named: author(8),
    shelf: [[author(9)], null],
    unknown: { id: 'never' },
  }
  expect(tags('book', book)).toEqual([
    ...['Author', 'Author:2', 'Author:4', 'Author:8', 'Author:9'],
    ...['Book', 'Book:1', 'Book:3', 'Book:6', 'Money', 'Publisher', 'Publisher:7'],
  ])
})

test('an object of an abstract type is of the one it names, or may be of each', () => {
  expect(tags('maker', author(1))).toEqual(['Author', 'Author:1'])
  const each = ['Author', 'Author:1', 'Publisher', 'Publisher:1']
  expect(tags('maker', { id: 1 })).toEqual(each)
  expect(tags('named', { __typename: 'Nobody', id: 1 })).toEqual(each)
})

test('the first of idFields that an object has is its id', () => {
  expect(tags('maker', { __typename: 'Publisher', key: 'k', id: 'i' }, ['key', 'id'])).toEqual([
    'Publisher',
    'Publisher:k',
  ])
  expect(tags('maker', author('i'), ['key', 'id'])).toEqual(['Author', 'Author:i'])
  expect(tags('maker', author('i'), [])).toEqual(['Author'])
})

test('what contains itself ends, and so does what is deeper than values are', () => {
  const one: Record<string, unknown> = author(1)
  one.friend = author(2, { friend: one })
  expect(tags('maker', one)).toEqual(['Author', 'Author:1', 'Author:2'])
  let deep: Record<string, unknown> = author(0)
  for (let id = 1; id < 5000; id++) deep = author(id, { friend: deep })
  expect(tags('maker', deep)).toContain('Author:4999')
})

test('one object in two places is read as each of their types', () => {
  const both = { id: 1, books: [{ id: 2 }] }
  expect(tags('book', { id: 3, maker: both, authors: [both] })).toEqual([
    ...['Author', 'Author:1', 'Book', 'Book:2', 'Book:3', 'Publisher', 'Publisher:1'],
  ])
})
