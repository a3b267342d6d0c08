import { buildSchema, type GraphQLObjectType } from 'graphql'
import { describe, expect, test } from 'vitest'
import { templateOf } from '../../../../src/adapters/graphql/fields/templates.ts'

const schema = buildSchema(`
  scalar Any
  enum Kind { BOOK FILM }
  interface Named { name: String }
  type Author implements Named { id: ID!, name: String, pen: String! }
  type Publisher implements Named { id: ID!, name: String }
  union Maker = Author | Publisher
  input Range { from: Int, to: Int, near: Range }
  input Filter { ids: [ID!], range: Range!, ranges: [[Range!]!] }
  type Product {
    id: ID!
    kind: Kind
    any: Any
    authors: [Author!]!
    shelves: [[Author]]
    named: Named
    makers: [Maker!]
    of(id: ID!, filter: Filter, ids: [ID!], kind: Kind, flag: Boolean, _x1: Int): Product
    list(id: ID): [Product!]!
    count: Int!
  }
  type Query { product: Product }
`)
const type = schema.getType('Product') as GraphQLObjectType

function make(text: string, name = 'of') {
  const field = type.getFields()[name]
  if (field === undefined) throw new Error('no field')
  return templateOf(text, { schema, parent: type, field })
}

const NOTHING = { parent: {}, args: {}, context: {}, result: null }

describe('is filled with', () => {
  const FILLED: readonly [text: string, field: string, given: object, tags: readonly string[]][] = [
    ['plain', 'of', {}, ['plain']],
    ['Product:{args.id}', 'of', { args: { id: 'a' } }, ['Product:a']],
    ['{args.id}', 'of', { args: { id: '' } }, ['']],
    ['{args._x1}-{args.id}!', 'of', { args: { id: 'a', _x1: 0 } }, ['0-a!']],
    ['{args.id}{args.id}', 'of', { args: { id: 7 } }, ['77']],
    ['{args.flag}', 'of', { args: { flag: false } }, ['false']],
    ['{args.id}', 'of', { args: { id: 2n ** 64n } }, ['18446744073709551616']],
    ['{args.filter.range.near.to}', 'of', { args: { filter: { range: { near: { to: 3 } } } } }, ['3']],
    ['P:{args.ids[]}', 'of', { args: { ids: ['a', 'b'] } }, ['P:a', 'P:b']],
    [
      'P:{args.filter.ids[]}:{parent.id}',
      'of',
      { args: { filter: { ids: [1, 2] } }, parent: { id: 'p' } },
      ['P:1:p', 'P:2:p'],
    ],
    [
      '{args.filter.ranges[][].from}',
      'of',
      { args: { filter: { ranges: [[{ from: 1 }], [{ from: 2 }, { from: 3 }]] } } },
      ['1', '2', '3'],
    ],
    ['Product:{parent.id}', 'of', { parent: { id: 9 } }, ['Product:9']],
    ['Author:{parent.authors[].id}', 'of', { parent: { authors: [{ id: 1 }, { id: 2 }] } }, ['Author:1', 'Author:2']],
    ['Product:{result.id}', 'of', { result: { id: 'r' } }, ['Product:r']],
    ['Author:{result.authors[].id}', 'of', { result: { authors: [{ id: 'x' }] } }, ['Author:x']],
    [
      'Author:{result.shelves[][].id}',
      'of',
      { result: { shelves: [[{ id: 1 }, null], null, [{ id: 2 }]] } },
      ['Author:1', 'Author:2'],
    ],
    ['{result[].id} of {args.id}', 'list', { args: { id: 5 }, result: [{ id: 1 }, { id: 2 }] }, ['1 of 5', '2 of 5']],
    ['{result[].id}', 'list', { result: new Set([{ id: 1 }, { id: 2 }]) }, ['1', '2']],
    ['count {result}', 'count', { result: 3 }, ['count 3']],
    ['{result.named.name}', 'of', { result: { named: { name: 'N' } } }, ['N']],
    // Some members of a union, or implementations of an interface, have it.
    ['{result.makers[].pen}', 'of', { result: { makers: [{ pen: 'p' }, { id: 1 }] } }, ['p']],
    // The braces of a value are no places.
    ['{args.id}-{parent.id}', 'of', { args: { id: '{parent.id}' }, parent: { id: '$&' } }, ['{parent.id}-$&']],
  ]
  test.each(FILLED)('%s of %s: case %#', (text, field, given, tags) => {
    expect(make(text, field).fill({ ...NOTHING, ...given })).toEqual(tags)
  })
})

describe('gives no tag where there is nothing to tell', () => {
  const NONE: readonly [text: string, field: string, given: object][] = [
    ['{args.kind}', 'of', { args: {} }],
    ['{args.kind}', 'of', { args: { kind: null } }],
    ['{args.filter.range.from}', 'of', { args: { filter: null } }],
    ['{args.ids[]}', 'of', { args: { ids: [] } }],
    ['{args.ids[]}', 'of', { args: { ids: null } }],
    ['{result.id}', 'of', { result: null }],
    ['{result.id}', 'of', { result: undefined }],
    ['{result[].id}', 'list', { result: [] }],
    ['{result[].id}', 'list', { result: [null, undefined] }],
    ['{result.kind}', 'of', { result: { kind: null } }],
    ['{args.id}{args.kind}', 'of', { args: { id: 1, kind: null } }],
  ]
  test.each(NONE)('%s of %s: case %#', (text, field, given) => {
    expect(make(text, field).fill({ ...NOTHING, ...given })).toEqual([])
  })
})

describe('throws where what it needs is not as the schema says', () => {
  const BAD: readonly [text: string, field: string, given: object, message: string][] = [
    ['{result.id}', 'of', { result: {} }, 'an object without id was found'],
    ['{parent.id}', 'of', { parent: {} }, 'an object without id was found'],
    ['{result[].id}', 'list', { result: { id: 1 } }, 'a list was expected'],
    ['{result.id}', 'of', { result: { id: {} } }, 'a text or a number was expected, not object'],
    ['{result.id}', 'of', { result: { id: () => 1 } }, 'a text or a number was expected, not function'],
    ['{result.any}', 'of', { result: { any: new Date(0) } }, 'a text or a number was expected, not object'],
  ]
  test.each(BAD)('%s of %s: case %#', (text, field, given, message) => {
    expect(() => make(text, field).fill({ ...NOTHING, ...given })).toThrow(new TypeError(message))
  })
})

describe('is refused', () => {
  const REFUSED: readonly [text: string, field: string, message: string][] = [
    ['{id}', 'of', '{id} is none of {args.…}, {parent.…} and {result.…}'],
    ['{}', 'of', '{} is none of {args.…}, {parent.…} and {result.…}'],
    ['{ args.id }', 'of', '{ args.id } is none of {args.…}, {parent.…} and {result.…}'],
    ['{context.user}', 'of', '{context.user} is none of {args.…}, {parent.…} and {result.…}'],
    ['{result.authors[0].id}', 'of', '{result.authors[0].id} is none of {args.…}, {parent.…} and {result.…}'],
    ['{args.id', 'of', '"{args.id" has a brace without its other one'],
    ['args.id}', 'of', '"args.id}" has a brace without its other one'],
    ['{{args.id}}', 'of', '"{{args.id}}" has a brace without its other one'],
    ['{args.nope}', 'of', '{args.nope}: there is no nope in args'],
    ['{args.filter.nope}', 'of', '{args.filter.nope}: there is no nope in Filter'],
    ['{parent.nope}', 'of', '{parent.nope}: there is no nope in Product'],
    ['{result.named.pen}', 'of', '{result.named.pen}: there is no pen in Named'],
    ['{result.makers[].nope}', 'of', '{result.makers[].nope}: there is no nope in Maker!'],
    ['{args.id.x}', 'of', '{args.id.x}: there is no x in ID!'],
    ['{args.ids}', 'of', '{args.ids} is [ID!], a list: write [] behind it'],
    ['{args.filter}', 'of', '{args.filter} is Filter, not a text or a number: name a field of it'],
    ['{args}', 'of', '{args} is all arguments, not a text or a number: name a field of it'],
    ['{parent}', 'of', '{parent} is Product, not a text or a number: name a field of it'],
    ['{result}', 'list', '{result} is [Product!]!, a list: write [] behind it'],
    ['{args.id[]}', 'of', '{args.id[]}: ID! is no list: leave out the []'],
    ['{args[]}', 'of', '{args[]}: args is no list: leave out the []'],
    ['{result[].id}', 'of', '{result[].id}: Product is no list: leave out the []'],
    ['{result.id}', 'list', '{result.id}: [Product!]! is a list: write [] behind it'],
    [
      '{args.ids[]}{result.authors[].id}',
      'of',
      '"{args.ids[]}{result.authors[].id}" has more than one list in it: give tags as a function',
    ],
  ]
  test.each(REFUSED)('%s of %s', (text, field, message) => {
    expect(() => make(text, field)).toThrow(new TypeError(message))
  })
})
