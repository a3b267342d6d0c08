import fc from 'fast-check'
import { type Asked, hostileText, jsonText, members, mostly, sometimesDamaged } from './fuzz.ts'

/** Requests to the servers of `graphqlTwins.ts`: most of them valid, all of them odd. */

/** Types of the variables that the literals name. */
const VARIABLES: Readonly<Record<string, string>> = {
  s: 'String',
  d: 'String = "default"',
  n: 'Float',
  id: 'ID',
  f: 'Filter',
  any: 'Any',
  yes: 'Boolean! = true',
}

const text = hostileText.map((value) => JSON.stringify(value))
const literal = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    text,
    fc.constantFrom('1', '-0', '1e300', '0.1', 'true', 'null', 'RED', '$s', '$any', '$n', '"""block"""', '[]', '{}'),
    fc.array(tie('value'), { maxLength: 3 }).map((all) => `[${all.join(' ')}]`),
    fc
      .array(fc.tuple(fc.constantFrom('a', 'b', '__proto__', 'constructor'), tie('value')), { maxLength: 3 })
      .map((all) => {
        return `{${[...new Map(all)].map(([name, value]) => `${name}: ${value}`).join(' ')}}`
      }),
  ),
})).value

/** By type of an argument. */
const LITERALS: Readonly<Record<string, fc.Arbitrary<string>>> = {
  String: fc.oneof(text, fc.constantFrom('$s', '$d', 'null')),
  Float: fc.constantFrom('1', '-0', '0', '1e300', '$n', 'null', '99999999999999999999'),
  Int: fc.constantFrom('0', '1', '-0', '3', 'null', '2147483648'),
  ID: fc.oneof(text, fc.constantFrom('1', '$id', '"none"', '0', '-0')),
  Boolean: fc.constantFrom('true', 'false', '$yes', 'null'),
  Filter: fc.constantFrom(
    '{}',
    '$f',
    '{ word: "a" }',
    '{ not: { word: null, colors: [RED] } }',
    '{ any: $any }',
    'null',
  ),
  Any: literal,
}

type Field = { readonly args?: Readonly<Record<string, string>>; readonly type?: string }

const FIELDS: Readonly<Record<string, Readonly<Record<string, Field>>>> = {
  Query: {
    echo: {
      args: { text: 'String', number: 'Float', int: 'Int', id: 'ID', flag: 'Boolean', filter: 'Filter', any: 'Any' },
    },
    any: { args: { value: 'Any' } },
    item: { args: { id: 'ID' }, type: 'Item' },
    node: { args: { id: 'ID' }, type: 'Node' },
    found: { type: 'Found' },
    list: { args: { n: 'Int' }, type: 'Item' },
    me: {},
    fails: { args: { code: 'String' } },
    throws: {},
    partly: {},
    nothing: { type: 'Item' },
    __typename: {},
  },
  Item: { id: {}, name: { args: { upper: 'Boolean', any: 'Any' } }, self: { type: 'Item' }, fails: {}, __typename: {} },
  Node: { id: {}, __typename: {} },
  Found: { __typename: {} },
  Mutation: { write: { args: { any: 'Any' } }, touch: { args: { id: 'ID' }, type: 'Item' } },
}

const alias = mostly('', 'a: ', 'b: ', '__proto__: ', 'constructor: ', '__atomcache_: ', 'id: ', 'x1: ')
const directive = mostly('', '@include(if: $yes)', '@skip(if: false)', '@skip(if: $yes)', '@unknown')

function argumentsOf(args: Readonly<Record<string, string>>): fc.Arbitrary<string> {
  const all = Object.entries(args).map(([name, type]) =>
    fc
      .tuple(
        fc.constantFrom(...(name === 'id' ? [true] : [true, false, false])),
        LITERALS[type] as fc.Arbitrary<string>,
      )
      .map(([given, value]) => (given ? `${name}: ${value}` : '')),
  )
  return fc.tuple(...all).map((given) => {
    const said = given.filter((one) => one !== '')
    return said.length === 0 ? '' : `(${said.join(' ')})`
  })
}

function selectionOf(type: string, depth: number): fc.Arbitrary<string> {
  const field = fc
    .constantFrom(...Object.entries(FIELDS[type] as Record<string, Field>))
    .chain(([name, { args = {}, type: inner }]) => {
      const below =
        inner === undefined
          ? fc.constant('')
          : depth === 0
            ? fc.constant('{ __typename }')
            : selectionOf(inner, depth - 1)
      return fc.tuple(alias, argumentsOf(args), directive, below).map((parts) => {
        const [renamed, given, said, selected] = parts
        return `${renamed}${name}${given} ${said} ${selected}`
      })
    })
  const fragment = fc.constantFrom(
    '... { __typename }',
    '...F',
    '... on Query { me ...F }',
    '... on Item { id self { id } }',
    '... on Other { size }',
  )
  const one = fc.oneof({ weight: 8, arbitrary: field }, { weight: 1, arbitrary: fragment })
  return fc.array(one, { minLength: 1, maxLength: 3 }).map((all) => `{ ${all.join(' ')} }`)
}

const operation = fc
  .tuple(
    fc.constantFrom('query', 'query', 'query', 'query', 'query', 'mutation'),
    fc.constantFrom('', 'A', 'B', '__proto__', 'X'.repeat(200)),
  )
  .chain(([kind, name]) =>
    selectionOf(kind === 'query' ? 'Query' : 'Mutation', 2).map((body) => {
      const used = Object.keys(VARIABLES).filter((variable) => new RegExp(`\\$${variable}\\b`).test(body))
      const declared = used.map((variable) => `$${variable}: ${VARIABLES[variable]}`)
      return `${kind} ${name}${declared.length === 0 ? '' : `(${declared.join(' ')})`} ${body}${body.includes('...F') ? ' fragment F on Query { f: me }' : ''}`
    }),
  )

const document = sometimesDamaged(
  fc.oneof(
    { weight: 8, arbitrary: operation },
    { weight: 1, arbitrary: fc.tuple(operation, operation).map((both) => both.join('\n')) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        '',
        '{',
        '{ __schema { queryType { name } } }',
        '{ me }',
        '# nothing',
        '{ me }'.repeat(3),
      ),
    },
  ),
)

const variables = fc.oneof(
  {
    weight: 18,
    arbitrary: fc
      .record(
        {
          s: fc.oneof(text, mostly('null', '1')),
          d: text,
          n: mostly('1', '-0', '1e300', 'null', '1e400', '"1"'),
          id: fc.oneof(text, fc.constantFrom('1', '2', 'null', '"none"'), mostly('1', '1.5')),
          f: fc.oneof(
            fc.constantFrom('{}', '{"word":"a"}', '{"colors":["RED"]}', '{"__proto__":{"word":"a"}}', '[]'),
            members(jsonText),
          ),
          any: jsonText,
          yes: mostly('true', 'false', 'null'),
        },
        { requiredKeys: [] },
      )
      .map(
        (given) =>
          `{${Object.entries(given)
            .map(([name, value]) => `"${name}":${value}`)
            .join()}}`,
      ),
  },
  { weight: 1, arbitrary: members(jsonText) },
  { weight: 1, arbitrary: jsonText },
)

const operationName = mostly('', '"A"', '"B"', '"__proto__"', 'null', '1', '""', '{}', '"X"')

/** The members of one operation, as JSON. */
/** The members of one operation, as JSON, with one set of variables and with another. */
const bodies = fc
  .record({
    query: sometimesDamaged(document),
    variables: fc.array(fc.option(variables), { minLength: 2, maxLength: 2 }),
    name: operationName,
    more: fc.option(members(jsonText), { freq: 15 }),
  })
  .map(({ query, variables, name, more }) =>
    variables.map((given) => {
      const parts = [`"query":${JSON.stringify(query)}`]
      if (given !== null) parts.push(`"variables":${given}`)
      if (name !== '') parts.push(`"operationName":${name}`)
      if (more !== null) parts.push(`"extensions":${more}`)
      return `{${parts.join()}}`
    }),
  )

const headers = fc.record({
  accept: mostly(
    'application/json',
    'application/graphql-response+json',
    '*/*',
    'text/html;q=0.1, */*',
    'text/plain',
    'application/json; charset=latin1',
  ),
  authorization: fc.constantFrom(
    '',
    'ann',
    'bob',
    'ann ',
    'ANN',
    'everybody',
    'null',
    'undefined',
    '__proto__',
    'ann,bob',
    '"ann"',
    'a\u00e9',
  ),
  'if-none-match': fc.constantFrom('', '"guess"', 'W/"guess"', '""', '"a", *', '"a",,"b', ','.repeat(50), '"'),
  'cache-control': fc.constantFrom('', 'no-cache', 'no-store', 'only-if-cached', 'max-age=0', 'max-age="', 'a=,,,"'),
  'x-forwarded-host': fc.constantFrom('', 'evil.test'),
  'accept-encoding': fc.constantFrom('', 'gzip, br'),
})

const said = (all: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''))

const JSON_TYPES = mostly(
  'application/json',
  'application/json; charset=utf-8',
  'text/plain',
  'application/graphql',
  '',
)

const byPost = fc.tuple(bodies, JSON_TYPES, headers, headers).map(([bodies, type, ...given]): readonly Asked[] => {
  const all = given.map((one) => said({ ...one, 'content-type': type }))
  // Two questions of one, and one of another.
  const pairs = [bodies, bodies.slice(0, 1)].flatMap((asked, i) =>
    asked.map((body) => ({ body, headers: all[i] ?? {} })),
  )
  return pairs.map((one) => ({ method: 'POST', path: '', ...one }))
})

const byOddPost = fc
  .tuple(
    fc.oneof(
      sometimesDamaged(bodies.map(([body = '']) => body)),
      fc.array(bodies, { maxLength: 2 }).map((all) => `[${all.flat().join()}]`),
    ),
    JSON_TYPES,
    headers,
  )
  .map(([body, type, given]): readonly Asked[] => {
    return [{ method: 'POST', path: '', headers: said({ ...given, 'content-type': type }), body }]
  })

const byGet = fc
  .record({
    query: document,
    variables: fc.option(variables),
    name: mostly('', 'A', 'B', '__proto__'),
    given: headers,
    method: mostly('GET', 'HEAD'),
  })
  .map(({ query, variables, name, given, method }): readonly Asked[] => {
    const parts = [`query=${encoded(query)}`]
    if (variables !== null) parts.push(`variables=${encoded(variables)}`)
    if (name !== '') parts.push(`operationName=${name}`)
    return [{ method, path: `?${parts.join('&')}`, headers: said(given) }]
  })

/** What `encodeURIComponent` refuses is sent as what stands for it. */
function encoded(value: string): string {
  return encodeURIComponent(value.toWellFormed())
}

/** Requests that have much in common. */
export const graphqlRequests: fc.Arbitrary<readonly Asked[]> = fc.oneof(
  { weight: 3, arbitrary: byPost },
  { weight: 1, arbitrary: byOddPost },
  { weight: 1, arbitrary: byGet },
)
