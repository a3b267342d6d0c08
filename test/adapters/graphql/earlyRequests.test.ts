import type { GraphQLSchema } from 'graphql'
import { createSchema, createYoga, type Plugin } from 'graphql-yoga'
import { afterEach, describe, expect, test } from 'vitest'
import { useAtomCache } from '../../../src/adapters/graphql/yoga.ts'
import { type Cache, createCache } from '../../../src/index.ts'
import { type Trace, traceOf } from '../trace.ts'
import { type HttpAnswer, type TownOptions, useHttpTown } from './httpTown.ts'

const open = useHttpTown()
const early = { session: () => null }
const session = () => null

type Asked = readonly [body: object, headers?: Record<string, string>]

/** Posts the same, one after the other, with and without early answers: what clients see must be the same. */
async function asWithout(options: TownOptions, asked: readonly Asked[]) {
  const towns = await Promise.all([{ session }, { session, early }].map((plugin) => open({ ...options, plugin })))
  const [plain, site] = await Promise.all(
    towns.map(async ({ sites }) => {
      const answers: HttpAnswer[] = []
      for (const [body, headers] of asked) answers.push(await sites[0].post(body, headers))
      return answers
    }),
  )
  const seen = (answers: readonly HttpAnswer[] = []) =>
    answers.map(({ status, headers, text }, i) => [asked[i], status, headers['content-type'], text])
  expect(seen(site)).toEqual(seen(plain))
  return { answers: site as HttpAnswer[], trace: (towns[1] as (typeof towns)[1]).trace }
}

/** Whether early answers have ended, and said so once. */
function expectEnd(trace: Trace, reason: string): void {
  expect(trace.of('bypass')).toEqual([
    { type: 'bypass', what: 'every early answer', reason: expect.stringContaining(reason) },
  ])
}

/** Puts documents in the place of names, as plugins for persisted operations do. */
function persisted(documents: Record<string, string>): Plugin {
  return {
    onParams({ params, setParams }) {
      const query = documents[params.query ?? '']
      if (query !== undefined) setParams({ ...params, query })
    },
  }
}

describe('early answers and what a plugin makes of the parameters', () => {
  const CHANGED = 'a plugin changes documents or variables after they arrive'

  test.each([
    ['a name that is no document', 'GetNews'],
    ['a document of its own', '{ weather }'],
  ])('in whose place another document is put: %s', async (_what, name) => {
    const plugin = persisted({ [name]: '{ news }' })
    const { answers, trace } = await asWithout({ before: [plugin] }, Array(4).fill([{ query: name }]))
    expect(answers.map(({ text }) => text)).toEqual(Array(4).fill('{"data":{"news":"news 1 for nobody"}}'))
    expectEnd(trace, CHANGED)
  })

  test('also where plain documents were answered early before', async () => {
    const asked = ['{ weather }', '{ weather }', '{ weather }', 'GetNews', '{ weather }', 'GetNews', 'GetNews']
    const { trace } = await asWithout(
      { before: [persisted({ GetNews: '{ news }' })] },
      asked.map((query) => [{ query }] as const),
    )
    expectEnd(trace, CHANGED)
  })

  test('whose variables are changed', async () => {
    const plugin: Plugin = {
      onParams({ params, setParams, request }) {
        setParams({ ...params, variables: { maxAge: Number(request.headers.get('x-age')) } })
      },
    }
    const query = 'query ($maxAge: Int!) { hinted(maxAge: $maxAge) }'
    const ask = (age: string) => [{ query, variables: { maxAge: 1 } }, { 'x-age': age }] as const
    const { trace } = await asWithout({ before: [plugin] }, ['60', '60', '70', '60', '70', '80'].map(ask))
    expectEnd(trace, CHANGED)
  })
})

describe('early answers are of one schema', () => {
  const OTHER = 'the schema is not the one that was there when the server was made'
  const schemaOf = (typeDefs: string, by: string) =>
    createSchema({ typeDefs, resolvers: { Query: { title: () => by }, Admin: {} } })
  const visitors = schemaOf('type Query { title: String } type Admin { name: String }', 'for visitors')
  const admins = schemaOf('type Query { title: String, salaries: Admin } type Admin { name: String }', 'for admins')

  const TITLE = { query: '{ title }' }
  const SALARIES = { query: '{ salaries { name } }' }
  const ADMIN = { 'x-admin': '1' }
  const MIXED: readonly Asked[] = [
    [TITLE],
    [TITLE],
    [TITLE, ADMIN],
    [TITLE],
    [SALARIES],
    [SALARIES, ADMIN],
    [SALARIES, ADMIN],
    [SALARIES],
    [TITLE, ADMIN],
  ]
  const isAdmin = (request: Request) => request.headers.get('x-admin') !== null

  test('not of one that is chosen for each request', async () => {
    const schema = (({ request }: { request: Request }) => (isAdmin(request) ? admins : visitors)) as never
    const { answers, trace } = await asWithout({ yoga: { schema } }, MIXED)
    expect(answers[2]?.text).toContain('for admins')
    const refused = answers.map(({ text }) => text.includes('Cannot query field'))
    expect(refused).toEqual([false, false, false, false, true, false, false, true, false])
    expectEnd(trace, OTHER)
  })

  test('not of one that is replaced, from then on', async () => {
    let current: GraphQLSchema = visitors
    const replaces: Plugin = {
      onRequest({ request }) {
        if (isAdmin(request)) current = admins
      },
      onEnveloped: ({ setSchema }) => setSchema(current),
    }
    const asked: Asked[] = [[TITLE], [TITLE], [TITLE], [SALARIES, ADMIN], [TITLE], [TITLE], [SALARIES]]
    const run = async (plugin: object) => {
      current = visitors
      const { sites, trace } = await open({ yoga: { schema: visitors }, before: [replaces], plugin })
      const texts: string[] = []
      for (const [body, headers] of asked) texts.push((await sites[0].post(body, headers)).text)
      return { texts, trace }
    }
    const plain = await run({ session })
    const { texts, trace } = await run({ session, early })
    expect(texts).toEqual(plain.texts)
    expect(texts[4]).toContain('for admins')
    expectEnd(trace, OTHER)
  })

  test('not of one that is replaced between two requests, which nobody has asked yet', async () => {
    // Of both sites.
    const replacing: ((schema: GraphQLSchema) => void)[] = []
    const reloads: Plugin = { onSchemaChange: ({ replaceSchema }) => void replacing.push(replaceSchema) }
    const { sites, trace } = await open({ yoga: { schema: visitors }, after: [reloads], plugin: { session, early } })
    for (let i = 0; i < 3; i++) expect((await sites[0].post(TITLE)).text).toContain('for visitors')
    for (const replaceSchema of replacing.splice(0)) replaceSchema(admins)
    for (let i = 0; i < 3; i++) expect((await sites[0].post(TITLE)).text).toContain('for admins')
    // The other site is told too.
    const ended = trace.of('bypass').map(({ what, reason }) => [what, reason])
    expect(ended).toEqual(Array(2).fill(['every early answer', OTHER]))
  })

  test('not of one that comes only when the server is made already', async () => {
    const parsed: string[] = []
    const counts: Plugin = { onParams: ({ params }) => void parsed.push(params.query ?? '') }
    const schema = Promise.resolve(visitors)
    const { answers, trace } = await asWithout({ yoga: { schema }, after: [counts] }, Array(4).fill([TITLE]))
    expect(answers[3]?.text).toContain('for visitors')
    // Four of each town: nothing was answered before it was parsed.
    expect(parsed).toHaveLength(8)
    expectEnd(trace, OTHER)
  })

  test('so one plugin is of one server', async () => {
    const cache = createCache()
    const plugins = [useAtomCache({ cache, session, early })]
    createYoga({ schema: visitors, plugins, logging: false })
    expect(() => createYoga({ schema: admins, plugins, logging: false })).toThrow(
      new TypeError('useAtomCache with early is of one server: make one for each'),
    )
    const plain = [useAtomCache({ cache, session })]
    for (const schema of [visitors, admins]) createYoga({ schema, plugins: plain, logging: false })
    await cache.close()
  })
})

test.each<[string, readonly Asked[]]>([
  ['an empty operation name', [[{ query: '{ news }', operationName: '' }]]],
  [
    'a name with the beginning of another document in it',
    [
      [{ query: '#\nquery Q { news }', operationName: 'Q' }],
      [{ query: 'query Q { news }', operationName: 'Q\n#' }],
      [{ query: '\nquery Q { news }', operationName: 'Q#' }],
      [{ query: '#\nquery Q { news }', operationName: 'Q' }],
    ],
  ],
  ['no name and one that is empty', [[{ query: '{ news }', operationName: '' }], [{ query: ':{ news }' }]]],
  [
    'a name that looks like a length',
    [
      [{ query: 'query Q { news }', operationName: 'Q' }],
      [{ query: ':Qquery Q { news }', operationName: '1' }],
      [{ query: '1:Qquery Q { news }' }],
    ],
  ],
  ['extensions that are a text', [[{ query: '{ news }', extensions: 'x' }]]],
  ['extensions that are a list', [[{ query: '{ news }', extensions: [] }]]],
])('%s: as without early answers', async (_what, asked) => {
  const plain: Asked = [{ query: '{ news }' }]
  const named: Asked = [{ query: 'query Q { news }', operationName: 'Q' }]
  await asWithout({}, [plain, plain, plain, named, named, ...asked, ...asked, ...asked, plain])
})

describe('a request whose Content-Length is not that of its body', () => {
  const caches: Cache[] = []
  afterEach(() => Promise.all(caches.splice(0).map((cache) => cache.close())))

  function serve() {
    const cache = createCache()
    caches.push(cache)
    const trace = traceOf(cache)
    let runs = 0
    const schema = createSchema({
      typeDefs: 'type Query { title(of: String): String }',
      resolvers: { Query: { title: (_parent, { of }) => `${++runs} of ${of}` } },
    })
    const yoga = createYoga({ schema, logging: false, plugins: [useAtomCache({ cache, session, early })] })
    const post = async (body: string, length = Buffer.byteLength(body)) => {
      const headers = { 'content-type': 'application/json', 'content-length': String(length) }
      const response = await yoga.fetch('http://shop.example/graphql', { method: 'POST', headers, body })
      return { status: response.status, text: await response.text() }
    }
    return { post, trace, ran: () => runs }
  }

  const bodyOf = (of: string) => JSON.stringify({ query: 'query ($of: String) { title(of: $of) }', variables: { of } })

  test.each([
    ['longer', 'x'.repeat(5000), 10],
    ['shorter', 'x', 5000],
    ['of as many letters, in more bytes', 'é'.repeat(50), bodyOf('x'.repeat(50)).length],
  ])('is refused, and nothing is run or kept: it is %s', async (_how, of, length) => {
    const { post, trace, ran } = serve()
    const body = bodyOf(of)
    const { status, text } = await post(body, length)
    expect([status, JSON.parse(text).errors[0].message]).toEqual([400, expect.stringContaining('Content-Length')])
    expect([ran(), trace.of('lead')]).toEqual([0, []])
    // Also where it is known what the body asks for, and its answer is there.
    const texts = [await post(body), await post(body), await post(body)].map((answer) => answer.text)
    expect([new Set(texts).size, ran()]).toEqual([1, 1])
    expect((await post(body, length)).status).toBe(400)
    expect(ran()).toBe(1)
  })
})
