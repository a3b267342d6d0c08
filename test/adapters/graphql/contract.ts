import { describe, expect, test } from 'vitest'
import { traceOf } from '../trace.ts'
import { PATIENT } from './market.ts'
import { shopSchema } from './schema.ts'
import type { OpenTown, ShopOptions } from './shop.ts'

const PRODUCT = 'query Product($id: ID!) { product(id: $id) { id name } }'

/** What holds for whole responses, whatever the framework, the store, and the version of graphql-js. */
export function describeResponses(openTown: OpenTown, base: ShopOptions = {}): void {
  const open = (options?: ShopOptions) => openTown({ ...base, ...options })
  describe('sharing', () => describeSharing(open))
  describe('sessions', () => describeSessions(open))
  describe('what is not stored', () => describeUnstored(open))
  describe('keys', () => describeKeys(open))
  describe('what is stale', () => describeStale(open, base.schema))
}

function describeSharing(open: OpenTown): void {
  test('what one server computed is a hit on the other, byte for byte', async () => {
    const { shops, runs } = await open()
    const [a, b] = shops
    const [atA, atB] = shops.map(({ cache }) => traceOf(cache))
    const first = await a.ask(PRODUCT, { variables: { id: '42' } })
    expect(first.body).toEqual({ data: { product: { id: '42', name: 'product 42 by A1' } } })
    await atA?.saw('publish')

    const second = await b.ask(PRODUCT, { variables: { id: '42' } })
    expect([second.status, second.text]).toEqual([first.status, first.text])
    expect(second.headers.get('content-type')).toBe(first.headers.get('content-type'))
    expect(runs).toEqual(['product 42'])
    expect(atB?.events.map(({ type }) => type)).toEqual(['hit'])
  })

  test('20 identical requests to two servers at once run the resolver once', async () => {
    const { shops, gate, runs } = await open()
    const trace = traceOf(...shops.map(({ cache }) => cache))
    gate.shut()
    const asking = Array.from({ length: 20 }, (_, i) =>
      shops[i % 2 === 0 ? 0 : 1].ask(PRODUCT, { variables: { id: '7' } }),
    )
    // One server leads, the other waits for it, and everybody else for these two.
    await Promise.all([trace.saw('lead'), trace.saw('follow'), trace.saw('join', 18)])
    gate.open()
    const texts = (await Promise.all(asking)).map(({ text }) => text)
    expect(new Set(texts).size).toBe(1)
    expect(runs).toEqual(['product 7'])
    expect([trace.of('lead').length, trace.of('followed').map(({ outcome }) => outcome)]).toEqual([1, ['value']])
  })

  test('dates, big integers, null and nested lists survive as the client would see them uncached', async () => {
    const { shops, runs } = await open()
    const trace = traceOf(shops[0].cache)
    const query = '{ scalars { date instant big float none list } }'
    const first = await shops[0].ask(query)
    await trace.saw('publish')
    const second = await shops[1].ask(query)
    expect(first.body.data).toEqual({
      scalars: {
        date: '1970-01-02T00:00:00.000Z',
        instant: '1970-01-02T00:00:00.000Z',
        big: '1180591620717411303424',
        float: 0.1,
        none: null,
        list: [[1, null], []],
      },
    })
    expect(second.text).toBe(first.text)
    expect(runs).toEqual(['scalars'])
  })

  test('an instance of a class is stored as what clients see of it', async () => {
    const { shops, runs } = await open()
    const trace = traceOf(...shops.map(({ cache }) => cache))
    const first = await shops[0].ask('{ opaque }')
    await trace.saw('publish')
    expect(first.body).toEqual({ data: { opaque: { cents: 1 } } })
    expect((await shops[1].ask('{ opaque }')).text).toBe(first.text)
    expect(runs).toHaveLength(1)
  })
}

function describeSessions(open: OpenTown): void {
  test('two sessions never see each other’s bytes', async () => {
    const { shops, gate, runs } = await open()
    const trace = traceOf(...shops.map(({ cache }) => cache))
    gate.shut()
    const users = Array.from({ length: 20 }, (_, i) => (i % 4 < 2 ? 'ann' : 'bob'))
    const asking = users.map((user, i) => shops[i % 2 === 0 ? 0 : 1].ask('{ me }', { user }))
    await Promise.all([trace.saw('lead', 2), trace.saw('follow', 2), trace.saw('join', 16)])
    gate.open()
    const answers = await Promise.all(asking)
    for (const [i, { body }] of answers.entries()) expect(body.data?.me).toMatch(new RegExp(`^user ${users[i]} by`))
    expect([...runs].sort()).toEqual(['user ann', 'user bob'])

    await trace.saw('publish', 2)
    expect((await shops[0].ask('{ me }', { user: 'ann' })).text).toBe(answers[0]?.text)
    expect((await shops[0].ask('{ me }', { user: 'cleo' })).body.data?.me).toMatch(/^user cleo/)
    expect(runs).toHaveLength(3)
  })

  test('session null is the same for everybody', async () => {
    const { shops, runs } = await open({ session: () => null })
    const trace = traceOf(shops[0].cache)
    const first = await shops[0].ask('{ me }', { user: 'ann' })
    await trace.saw('publish')
    expect((await shops[1].ask('{ me }', { user: 'bob' })).text).toBe(first.text)
    expect(runs).toEqual(['user ann'])
  })

  test('a session named null, or by what looks like another part of the key, is a session of its own', async () => {
    const { shops, runs } = await open()
    const users = [undefined, 'null', '"null"', 'ann', 'ann,null', '["ann"]']
    for (const user of users) await shops[0].ask('{ product(id: 1) { name } }', user === undefined ? {} : { user })
    expect(runs).toHaveLength(users.length)
  })

  test.each([
    ['undefined', () => undefined, 'session gave undefined'],
    ['an empty string', () => '', 'session gave an empty string'],
    ['a number', () => 7, 'session gave a number:'],
    ['a promise', async () => 'ann', 'session gave a promise'],
    ['a promise that rejects', () => Promise.reject(new Error('no such session')), 'session gave a promise'],
    [
      'a throw',
      () => {
        throw new Error('no such session')
      },
      'session failed: no such session',
    ],
  ])('session that gives %s: uncached, and one bypass event', async (_what, session, reason) => {
    const { shops, runs } = await open({ session })
    const trace = traceOf(shops[0].cache)
    for (const user of ['ann', 'bob']) {
      expect((await shops[0].ask('query Me { me }', { user })).body.data?.me).toMatch(new RegExp(`^user ${user}`))
    }
    expect(runs).toEqual(['user ann', 'user bob'])
    expect(trace.events).toEqual(
      Array.from({ length: 2 }, () => ({
        type: 'bypass',
        what: 'query Me',
        reason: expect.stringContaining(reason),
      })),
    )
  })
}

function describeUnstored(open: OpenTown): void {
  test('mutations run each time and ask the cache nothing', async () => {
    const { shops, runs } = await open()
    const trace = traceOf(...shops.map(({ cache }) => cache))
    const mutation = 'mutation { rename(id: 1, name: "x") }'
    const texts = await Promise.all([...shops, ...shops].map(async (shop) => (await shop.ask(mutation)).text))
    expect(new Set(texts).size).toBe(4)
    expect(runs).toHaveLength(4)
    expect(trace.events).toEqual([])
  })

  test('a result with errors is not stored; those who wait for it have it too', async () => {
    const { shops, gate, runs } = await open()
    const trace = traceOf(...shops.map(({ cache }) => cache))
    gate.shut()
    const asking = shops.map((shop) => shop.ask('{ fails }'))
    await Promise.all([trace.saw('follow'), gate.holds(1)])
    gate.open()
    const messages = (await Promise.all(asking)).map(({ body }) => body.errors?.[0]?.message)
    expect(new Set(messages).size).toBe(1)
    expect(messages[0]).toMatch(/^no by [AB]1$/)
    await shops[0].ask('{ fails }')
    expect(runs).toHaveLength(2)
  })

  test('a result with data and errors is not stored', async () => {
    const { shops, runs } = await open()
    for (const shop of [...shops, ...shops]) {
      const { body } = await shop.ask('{ partly }')
      expect(body.data?.partly).toEqual([expect.stringMatching(/^partly by/), null])
      expect(body.errors?.map(({ message }) => message)).toEqual(['no second'])
    }
    expect(runs).toHaveLength(4)
  })

  test.each([
    ['UNAUTHENTICATED', 3],
    ['FORBIDDEN', 3],
    ['NOT_FOUND', 1],
  ])(
    'callers that joined a run: %s, which may speak of the leader’s rights or not, makes %i runs',
    async (code, count) => {
      const { shops, gate, runs } = await open()
      const trace = traceOf(shops[0].cache)
      const query = `{ fails(code: "${code}") }`
      gate.shut()
      const asking = [1, 2, 3].map(() => shops[0].ask(query))
      await Promise.all([trace.saw('join', 2), gate.holds(1)])
      gate.open()
      const errors = (await Promise.all(asking)).map(({ body }) => body.errors?.[0])
      expect(errors.map((error) => error?.extensions?.code)).toEqual([code, code, code])
      expect(new Set(errors.map((error) => error?.message)).size).toBe(count)
      await shops[0].ask(query)
      expect(runs).toHaveLength(count + 1)
    },
  )

  test.each([
    '{ __schema { types { name } } }',
    '{ __type(name: "Product") { name } }',
    'query { product(id: 1) { id } ...Meta } fragment Meta on Query { ... { __schema { queryType { name } } } }',
  ])('questions about the schema are not cached: %s', async (query) => {
    const { shops } = await open()
    const trace = traceOf(...shops.map(({ cache }) => cache))
    for (const shop of shops) expect((await shop.ask(query)).body.errors).toBeUndefined()
    expect(trace.events).toEqual([])
  })

  test('__typename is no question about the schema', async () => {
    const { shops } = await open()
    const trace = traceOf(...shops.map(({ cache }) => cache))
    for (const shop of shops) {
      await shop.ask('{ __typename product(id: 1) { __typename } }')
      await trace.saw('publish')
    }
    expect(trace.of('hit')).toHaveLength(1)
  })
}

function describeKeys(open: OpenTown): void {
  test('the document, its operationName and its variables are part of the key', async () => {
    const { shops, runs } = await open()
    const two = 'query A { product(id: 1) { name } } query B { product(id: 1) { name } }'
    const asked = [
      () => shops[0].ask(PRODUCT, { variables: { id: '1' } }),
      () => shops[0].ask(PRODUCT, { variables: { id: '2' } }),
      () => shops[0].ask('{ product(id: 1) { name } }'),
      () => shops[0].ask('{ product(id: "1") { name id } }'),
      () => shops[0].ask('{ product(id: 1) { title: name } }'),
      () => shops[0].ask(two, { operationName: 'A' }),
      () => shops[0].ask(two, { operationName: 'B' }),
    ]
    const first: string[] = []
    for (const ask of asked) first.push((await ask()).text)
    const again: string[] = []
    for (const ask of asked) again.push((await ask()).text)
    expect(again).toEqual(first)
    expect(runs).toHaveLength(asked.length)
  })

  test('white space, commas and comments are not', async () => {
    const { shops, runs } = await open()
    const texts: string[] = []
    for (const query of [
      '{ product(id: 1) { id name } }',
      '{product(id:1){id,name}}',
      '# hello\n{\n  product(id: 1) { # what for?\n    id\n\n    name\n  }\n}\n',
    ]) {
      texts.push((await shops[0].ask(query)).text)
    }
    expect(new Set(texts).size).toBe(1)
    expect(runs).toHaveLength(1)
  })

  test('the order of variables, and of the members of an input, is not; the order of a list is', async () => {
    const { shops, runs } = await open()
    const query = 'query ($filter: Filter, $limit: Int) { search(filter: $filter, limit: $limit) }'
    for (const variables of [
      { filter: { name: 'n', tags: ['a', 'b'], from: null }, limit: 3 },
      { limit: 3, filter: { from: null, tags: ['a', 'b'], name: 'n' } },
    ]) {
      await shops[0].ask(query, { variables })
    }
    expect(runs).toHaveLength(1)
    await shops[0].ask(query, { variables: { filter: { name: 'n', tags: ['b', 'a'], from: null }, limit: 3 } })
    await shops[0].ask(query, { variables: { filter: { name: 'n', tags: ['a', 'b'] }, limit: 3 } })
    await shops[0].ask(query, { variables: { filter: { name: 'n', tags: ['a', 'b'], from: null }, limit: null } })
    expect(runs).toHaveLength(4)
  })

  test('no variables, null and an empty object are the same', async () => {
    const { shops, runs } = await open()
    await shops[0].ask('{ me }')
    await shops[0].ask('{ me }', { variables: {} })
    await shops[0].ask('{ me }', { variables: null as unknown as object })
    expect(runs).toHaveLength(1)
  })

  test('variables too deep for a key are answered uncached, with a bypass event', async () => {
    const { shops, runs } = await open()
    const trace = traceOf(shops[0].cache)
    let deep: object = {}
    for (let i = 0; i < 200; i++) deep = { deep }
    for (let i = 0; i < 2; i++) {
      const query = 'query ($filter: Filter) { search(filter: $filter) }'
      const { body } = await shops[0].ask(query, { variables: { filter: { from: deep } } })
      expect(body.errors).toBeUndefined()
    }
    expect(runs).toHaveLength(2)
    expect(trace.of('bypass').map(({ what }) => what)).toEqual(['query (anonymous)', 'query (anonymous)'])
  })
}

function describeStale(open: OpenTown, make: ShopOptions['schema'] = shopSchema): void {
  /** ms. */
  const ttl = 150

  /** Two shops that have `{ me }`, and may be down. */
  async function openAged(windows: object) {
    const origin = { down: false }
    const schema: ShopOptions['schema'] = (kitchen) => {
      const made = make(kitchen)
      const field = made.getQueryType()?.getFields().me
      const resolve = field?.resolve
      if (field === undefined || resolve === undefined) throw new Error('there is no me')
      field.resolve = async (...args) => {
        const value = await resolve(...args)
        if (origin.down) throw new Error('down')
        return value
      }
      return made
    }
    const town = await open({ schema, cache: PATIENT, options: { ttl, ...windows } })
    const trace = traceOf(...town.shops.map(({ cache }) => cache))
    const first = await town.shops[0].ask('{ me }')
    await trace.saw('publish')
    return { ...town, origin, trace, first }
  }

  test('is answered at once, and refreshed by one server behind that', async () => {
    const { shops, gate, runs, trace, first } = await openAged({ staleWhileRevalidate: 600_000 })
    gate.shut()
    const asking = async () => {
      for (const shop of shops) expect((await shop.ask('{ me }')).text).toBe(first.text)
      return trace.of('stale').length
    }
    await expect.poll(asking).toBeGreaterThan(4)
    await gate.holds(1)
    expect(runs).toHaveLength(2)
    gate.open()
    await trace.saw('publish', 2)
    await expect.poll(async () => (await shops[0].ask('{ me }')).text).not.toBe(first.text)
  })

  test('is the answer where the origin fails', async () => {
    const { shops, runs, origin, trace, first } = await openAged({ staleIfError: 600_000 })
    origin.down = true
    const asking = async () => {
      for (const shop of shops) expect((await shop.ask('{ me }')).text).toBe(first.text)
      return trace.of('stale').length
    }
    await expect.poll(asking).toBeGreaterThan(4)
    // Not for each of them: it is left alone for a while.
    expect(runs.length).toBeLessThan(trace.of('stale').length)
  })
}
