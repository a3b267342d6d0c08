import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { redisStore } from '../../src/stores/redis/index.ts'
import { useHttpTown } from '../adapters/graphql/httpTown.ts'
import { testNamespace } from '../redis/namespace.ts'
import { type Asked, LIMIT, send, type Told } from './fuzz.ts'
import { type GraphqlTwins, openGraphqlTwins } from './graphqlTwins.ts'
import { openTrpcTwins, type TrpcTwins } from './trpcTwins.ts'

let graphql: GraphqlTwins
let trpc: TrpcTwins
beforeAll(async () => {
  const store = redisStore(inject('redisUrl'))
  const namespace = testNamespace('forged')
  graphql = await openGraphqlTwins(store, namespace)
  trpc = await openTrpcTwins(store, namespace, false)
})
afterAll(() => Promise.all([graphql, trpc].map((each) => each[Symbol.asyncDispose]())))

const yoga = () => graphql.cached['whole responses'] as string
const bytes = () => trpc.cached['public bytes'] as string
const query = (text: string, headers: Record<string, string> = {}): Asked => ({
  method: 'GET',
  path: `?query=${encodeURIComponent(text)}`,
  headers: { accept: 'application/json', ...headers },
})
const input = (text: string, headers: Record<string, string> = {}): Asked => ({
  method: 'GET',
  path: `/any?input=${encodeURIComponent(text)}`,
  headers,
})

const tagOf = ({ headers }: Told) => String(headers.etag)

/** Asked twice: that of a hit, which may be answered early. */
async function taggedBy(url: string, asked: Asked): Promise<string> {
  const first = await send(url, asked)
  expect(tagOf(first)).toMatch(/^"[\w-]{27}"$/)
  await expect.poll(async () => (await send(url, asked)).cacheStatus).toContain('hit')
  expect(tagOf(await send(url, asked))).toBe(tagOf(first))
  return tagOf(first)
}

describe('a forged If-None-Match', () => {
  test('with the tag of another session: his own answer, in full', async () => {
    const tag = await taggedBy(yoga(), query('{ me }', { authorization: 'ann' }))
    for (const forged of [tag, `W/${tag}`, `"x", ${tag}`]) {
      for (let time = 0; time < 3; time++) {
        const { status, text } = await send(yoga(), query('{ me }', { authorization: 'bob', 'if-none-match': forged }))
        expect([status, text]).toEqual([200, '{"data":{"me":"bob"}}'])
      }
    }
    const own = await send(yoga(), query('{ me }', { authorization: 'ann', 'if-none-match': `W/${tag}` }))
    expect([own.status, own.text]).toEqual([304, ''])
  })

  test('with the tag of another question: the answer, in full', async () => {
    const tag = await taggedBy(bytes(), input('{"a":1}'))
    const { status, text } = await send(bytes(), input('{"a":2}', { 'if-none-match': tag }))
    expect([status, JSON.parse(text).result.data.input]).toEqual([200, { a: 2 }])
  })

  test.each(['"guess"', '""', '"', 'guess', 'W/', 'W/*', '"*"', '*, "a"', '**', ','.repeat(500), '"a" "b"', '\\"a\\"'])(
    'of %s: the answer, in full',
    async (forged) => {
      await taggedBy(yoga(), query('{ list { id } }'))
      await taggedBy(bytes(), input('{"a":1}'))
      for (const [url, asked] of [
        [yoga(), query('{ list { id } }', { 'if-none-match': forged })],
        [bytes(), input('{"a":1}', { 'if-none-match': forged })],
      ] as const) {
        const { status, text } = await send(url, asked)
        expect([status, text.length > 10]).toEqual([200, true])
      }
    },
  )

  test('with the right tag beside what is malformed: the answer, in full', async () => {
    const tag = await taggedBy(yoga(), query('{ list { id } }'))
    for (const forged of [`"a" ${tag}`, `${tag} x`, `x${tag}`, `${tag}"`, `${tag}, x`, `${tag},"`]) {
      expect((await send(yoga(), query('{ list { id } }', { 'if-none-match': forged }))).status).toBe(200)
    }
  })

  test('* is a 304 of what the same client gets as a 200, and of nothing else', async () => {
    const any = { 'if-none-match': '*' }
    await taggedBy(yoga(), query('{ list { id } }'))
    const known = await send(yoga(), query('{ list { id } }', any))
    expect([known.status, known.text, known.headers['content-length']]).toEqual([304, '', undefined])
    for (const failing of ['{ throws }', '{ unknown }', '{', 'mutation { write }']) {
      const [forged, plain] = [await send(yoga(), query(failing, any)), await send(graphql.plain, query(failing))]
      expect([forged.status, forged.text]).toEqual([plain.status, plain.text])
    }
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const asked = {
        method,
        path: '',
        headers: { ...any, 'content-type': 'application/json' },
        body: '{"query":"{ list { id } }"}',
      }
      const [forged, plain] = [await send(yoga(), asked), await send(graphql.plain, asked)]
      expect([method, forged.status]).toEqual([method, plain.status])
    }
  })
})

describe('a shared answer', () => {
  test('of a batch in which one part is somebody’s own is kept for nobody', async () => {
    for (const user of ['ann', 'bob', 'ann', 'bob', '']) {
      const headers: Record<string, string> = user === '' ? {} : { authorization: user }
      const asked = { method: 'GET', path: '/any,nested.mine?batch=1&input=%7B%7D', headers }
      for (const url of [...Object.values(trpc.cached), trpc.plain]) {
        const { status, text, headers } = await send(url, asked)
        expect([status, JSON.parse(text)[1].result.data.what]).toEqual([200, `mine of ${user === '' ? null : user}`])
        // Of nobody who is known it is the same for everybody who is not.
        if (user !== '') expect(String(headers['cache-control'])).not.toContain('public')
      }
    }
  })

  test('is not chosen by what is said twice, or in another place, of a batch', async () => {
    const paths = [
      '/any?batch=1&batch=0&input=%7B%220%22%3A1%7D',
      '/any?input=1&input=2',
      '/any%2Cback?batch=1&input=%7B%220%22%3A1%2C%221%22%3A2%7D',
      '/any,any?input=1',
      '/any?batch=1&input=1',
      '/any?batch=1&input=%7B%22__proto__%22%3A1%7D',
      '//any?input=1',
      '/./any?input=1',
      '/any/?input=1',
      '/ANY?input=1',
      '/any?input=1#x',
      '/any;x?input=1',
    ]
    for (let time = 0; time < 2; time++) {
      for (const path of paths) {
        const asked = { method: 'GET', path, headers: {} }
        const [told, plain] = [await send(bytes(), asked), await send(trpc.plain, asked)]
        expect([path, told.status, told.text]).toEqual([path, plain.status, plain.text])
      }
    }
  })
})

describe('what is as large as a client likes', () => {
  const skipped = 'query ($any: Any) { list { id } echo(any: $any) @skip(if: true) }'
  const million = () => `{${Array.from({ length: 1_000_000 }, (_, i) => `"k${i}":1`).join()}}`

  test.each<readonly [string, () => string]>([
    ['a million members', million],
    ['a hundred thousand levels', () => `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['a text of a million characters', () => JSON.stringify('x'.repeat(1_000_000))],
    ['a hundred thousand lone surrogates', () => JSON.stringify('\ud800'.repeat(100_000))],
  ])('%s in a variable: the answer, and nothing of it is stored', { timeout: LIMIT }, async (_what, make) => {
    const askedWith = (any: string) => {
      const body = `{"query":${JSON.stringify(skipped)},"variables":{"any":${any}}}`
      return { method: 'POST', path: '', headers: { 'content-type': 'application/json' }, body }
    }
    const { status, text } = await send(graphql.plain, askedWith('null'))
    const [cache] = graphql.caches
    const before = cache?.stats().events.bypass ?? 0
    const told = await send(yoga(), askedWith(make()))
    expect([told.status, told.text]).toEqual([status, text])
    expect(told.cacheStatus).toContain('fwd=bypass')
    expect(cache?.stats().events.bypass).toBe(before + 1)
  })

  test('a thousand variables, fragments and fields: the answer', { timeout: LIMIT }, async () => {
    const names = Array.from({ length: 1000 }, (_, i) => `v${i}`)
    const documents = [
      `query (${names.map((name) => `$${name}: Any`).join(' ')}) { any(value: [${names.map((name) => `$${name}`).join(' ')}]) }`,
      `{ ${names.map((name) => `...${name}`).join(' ')} } ${names.map((name) => `fragment ${name} on Query { ${name}: me }`).join(' ')}`,
      `{ ${'me '.repeat(1000)} }`,
      `{ ${'...{ '.repeat(150)} me ${'} '.repeat(150)} }`,
    ]
    for (const document of documents) {
      const body = JSON.stringify({ query: document, variables: Object.fromEntries(names.map((name, i) => [name, i])) })
      const asked = { method: 'POST', path: '', headers: { 'content-type': 'application/json' }, body }
      const plain = await send(graphql.plain, asked)
      const told = await send(graphql.cached.both as string, asked)
      expect([told.status, told.text]).toEqual([200, plain.text])
    }
  })
})

describe('parameters that are read in two ways', () => {
  const me = encodeURIComponent('{ me }')
  const list = encodeURIComponent('{ list { id } }')
  const varied = encodeURIComponent('query ($id: ID = "9", $any: Any) { node(id: $id) { id } any(value: $any) }')
  const byUrl = [
    ...[
      `query=${me}&query=${list}`,
      `query[]=${me}`,
      `query=${me}&Query=${list}`,
      `%71uery=${me}`,
      `query=${me};query=${list}`,
    ],
    ...[
      `query=${me}&operationName=`,
      `query=${me}&operationName`,
      `query=${me}%00`,
      `query=%EF%BB%BF${me}`,
      `query=${me}#x`,
    ],
    ...['', 'null', '[]', '""', '0', '{}', '{&variables={}'].map((variables) => `query=${me}&variables=${variables}`),
    ...[
      '{"id":"1"}&variables={"id":"2"}',
      '{"id":"1","id":"2"}',
      '{"id":1}',
      '{"__proto__":{"id":"3"}}',
      '{"id":"4","more":1}',
      '{"id":"5","more":1}',
    ].map((variables) => `query=${varied}&variables=${variables}`),
    ...['a+b', 'a%2Bb', '%zz', '%E9', '%C3%A9'].map((id) => `query=${varied}&variables=%7B%22id%22:%22${id}%22%7D`),
    ...[`query=${me}&extensions={}`, `query=${me}&x=1`, `query=%7B+me+%7D`, `query=${me}&&&=`],
  ]
  const two = '"query":"query A { me } query B { list { id } }"'
  const byBody = [
    ...[
      '"query":"{ me }","query":"{ list { id } }"',
      '"query":"{ me }","__proto__":{"query":"{ list { id } }"}',
      '"__proto__":{"query":"{ me }"}',
    ],
    ...['""', 'null', '"A"', '"B"', '"__proto__"'].map((name) => `${two},"operationName":${name}`),
    ...['null', '[]', '{"__proto__":{"a":1}}'].map((variables) => `"query":"{ me }","variables":${variables}`),
    ...['{}', '{"id":"9"}', '{"id":9}', '{"id":null}'].map(
      (variables) => `"query":"query ($id: ID = \\"9\\") { node(id: $id) { id } }","variables":${variables}`,
    ),
    '"query":"{ me }","extensions":{"__proto__":{"persistedQuery":1}}',
  ]
  const all: readonly Asked[] = [
    ...byUrl.map((search) => ({ method: 'GET', path: `?${search}`, headers: {} })),
    ...byBody.map((members) => {
      return { method: 'POST', path: '', headers: { 'content-type': 'application/json' }, body: `{${members}}` }
    }),
  ]

  test('mean what they mean to the framework, also as a hit; and nobody can end early answers by them', async () => {
    const [cache] = graphql.caches
    const before = cache?.stats().events.bypass
    for (const asked of all) {
      const plain = await send(graphql.plain, asked)
      for (let time = 0; time < 3; time++) {
        const told = await send(yoga(), asked)
        expect([asked, told.status, told.text]).toEqual([asked, plain.status, plain.text])
      }
    }
    expect(cache?.stats().events.bypass).toBe(before)
  })
})

describe('a body that is no UTF-8', () => {
  const around = (...bytes: number[]) =>
    Buffer.concat([Buffer.from('{"query":"{ echo(text: \\"a'), Buffer.from(bytes), Buffer.from('\\") }"}')])

  test.each<readonly [string, Buffer]>([
    ['of Latin-1', around(0xe9)],
    ['with an overlong form', around(0xc0, 0x80)],
    ['with half of a surrogate pair', around(0xed, 0xa0, 0x80)],
    ['that ends within a character', around(0xe2, 0x82)],
    ['with a mark of its order', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), around(0x61)])],
    ['with a null behind it', Buffer.concat([around(0x61), Buffer.from([0])])],
    ['of UTF-16', Buffer.from('{"query":"{ me }"}', 'utf16le')],
  ])('%s: the answer', async (_what, body) => {
    const asked = { method: 'POST', path: '', headers: { 'content-type': 'application/json' }, body }
    const plain = await send(graphql.plain, asked)
    for (const url of Object.values(graphql.cached)) {
      for (let time = 0; time < 3; time++) {
        const told = await send(url, asked)
        expect([told.status, told.text]).toEqual([plain.status, plain.text])
      }
    }
  })
})

describe('a client who forces refreshes', () => {
  const open = useHttpTown()
  const forcing = { 'cache-control': 'no-cache', pragma: 'no-cache' }

  test('does so only where http.honorRequest lets it', async () => {
    const { sites, runs, trace } = await open()
    await sites[0].get('{ news }', forcing)
    await trace.saw('publish')
    for (let i = 0; i < 10; i++) await sites[i % 2]?.get('{ news }', forcing)
    expect(runs).toHaveLength(1)
  })

  test('has one run at a time over all instances, however many it sends', async () => {
    const { sites, runs, gate, trace } = await open({
      plugin: { http: { honorRequest: true } },
      cache: { commandTimeout: 5000 },
    })
    gate.shut()
    const asking = Array.from({ length: 20 }, (_, i) => sites[i % 2]?.get('{ news }', forcing))
    await Promise.all([gate.holds(1), trace.saw('join', 18), trace.saw('follow')])
    expect(runs).toHaveLength(1)
    gate.open()
    const texts = (await Promise.all(asking)).map((answer) => answer?.text)
    expect([new Set(texts).size, runs.length]).toEqual([1, 1])
  })
})
