import { useCSRFPrevention } from '@graphql-yoga/plugin-csrf-prevention'
import { type DocumentNode, Kind, visit } from 'graphql'
import type { Plugin } from 'graphql-yoga'
import { describe, expect, test } from 'vitest'
import { useAtomCache } from '../../../src/adapters/graphql/yoga.ts'
import { createCache } from '../../../src/index.ts'
import { type HttpAnswer, pathOf, type Site, useHttpTown } from './httpTown.ts'

const open = useHttpTown()

const early = { session: (request: Request) => request.headers.get('authorization') }
const NEWS = { query: 'query News { news }' }

/** A plugin behind the cache that counts what is parsed: an early answer is not. */
function counting() {
  const seen = { parsed: 0 }
  const plugin: Plugin = {
    onParams() {
      seen.parsed++
    },
  }
  return { seen, plugin }
}

/** Asks until the site has learned the text, and its answer is stored: the third one can be early. */
async function warm(site: Site, body: object, headers?: Record<string, string>): Promise<HttpAnswer> {
  await site.post(body, headers)
  return site.post(body, headers)
}

describe('an early answer', () => {
  test('is the one that is stored, from the second request of an instance on, and nothing is parsed for it', async () => {
    const { seen, plugin } = counting()
    const { sites, runs, trace } = await open({ plugin: { early }, after: [plugin] })
    const first = await sites[0].post(NEWS)
    await trace.saw('publish')
    // B has not met the text: it parses once, and finds the response.
    const texts = [await sites[1].post(NEWS), await sites[1].post(NEWS), await sites[0].post(NEWS)]
    expect(new Set([first, ...texts].map(({ text }) => text)).size).toBe(1)
    expect(seen.parsed).toBe(2)
    expect(runs).toEqual(['news'])
    expect(trace.of('hit')).toHaveLength(3)
  })

  test('has the headers of any other hit', async () => {
    const options = { plugin: { http: { vary: ['Accept-Language'] } } }
    const [plain, site] = await Promise.all([open(options), open({ plugin: { ...options.plugin, early } })])
    const query = { query: 'query Weather { weather }' }
    const fields = async (one: Site) => {
      await warm(one, query, { origin: 'http://shop.example' })
      const { headers, status } = await one.post(query, { origin: 'http://shop.example' })
      const { date: _date, age: _age, ...rest } = headers
      return { status, ...rest, 'cache-status': rest['cache-status']?.replace(/ttl=\d+/, 'ttl') }
    }
    expect(await fields(site.sites[0])).toEqual(await fields(plain.sites[0]))
  })

  test('is of GET as of POST, and 304 where the client has it', async () => {
    const { seen, plugin } = counting()
    const { sites } = await open({ plugin: { early }, after: [plugin] })
    const { text, headers } = await warm(sites[0], NEWS)
    const before = seen.parsed
    const got = await sites[0].get(NEWS.query)
    expect([got.status, got.text]).toEqual([200, text])
    const again = await sites[0].get(NEWS.query, { 'if-none-match': String(headers.etag) })
    expect([again.status, again.text, again.headers.etag]).toEqual([304, '', headers.etag])
    const posted = await sites[0].post(NEWS, { 'if-none-match': String(headers.etag) })
    expect([posted.status, posted.text]).toEqual([200, text])
    expect(seen.parsed).toBe(before)
  })

  test('is of the session that the request has: nobody gets another’s', async () => {
    const { sites, runs } = await open({ plugin: { early } })
    const query = { query: '{ mine }' }
    for (const site of sites) {
      for (const user of ['ann', 'bob', 'ann', 'bob', 'ann', 'bob']) {
        expect((await site.post(query, { authorization: user })).text).toContain(`for ${user}"`)
      }
    }
    expect(runs).toEqual(['mine', 'mine'])
    // Without a session it is nobody's to be had.
    expect((await sites[0].post(query)).text).toContain('for nobody"')
    expect((await sites[0].post(query)).text).toContain('for nobody"')
    expect(runs).toHaveLength(4)
  })

  test.each([
    ['undefined', () => undefined],
    ['an empty string', () => ''],
    [
      'a throw',
      () => {
        throw new Error('no such session')
      },
    ],
  ])('is not given where its session is %s: the other one is asked', async (_what, session) => {
    const { seen, plugin } = counting()
    const { sites } = await open({ plugin: { early: { session } }, after: [plugin] })
    const { text } = await warm(sites[0], NEWS)
    expect((await sites[0].post(NEWS)).text).toBe(text)
    expect(seen.parsed).toBe(3)
  })

  test.each([
    ['undefined', () => undefined, []],
    ['a promise', async () => null, ['early.session gave a promise']],
    ['an empty string', () => '', ['early.session gave an empty string']],
    [
      'a throw',
      () => {
        throw new Error('no such session')
      },
      ['early.session failed: no such session'],
    ],
  ])(
    'is not given where early.session gives %s, which is told unless it says nothing',
    async (_what, session, told) => {
      const { seen, plugin } = counting()
      const { sites, trace } = await open({ plugin: { early: { session } as never }, after: [plugin] })
      const { text } = await warm(sites[0], NEWS)
      const before = trace.of('bypass').length
      expect((await sites[0].post(NEWS)).text).toBe(text)
      expect(seen.parsed).toBe(3)
      expect(trace.of('bypass').slice(before)).toEqual(
        told.map((reason) => ({ type: 'bypass', what: 'an early answer', reason: expect.stringContaining(reason) })),
      )
    },
  )

  test('is not given for a body that is the URL of a GET', async () => {
    const { sites, runs } = await open({ plugin: { early } })
    const path = pathOf(NEWS.query)
    for (const _ of [1, 2]) await sites[0].send('GET', path, { accept: 'application/json' })
    const { url } = sites[0]
    const headers = { 'content-type': 'application/json', accept: 'application/json' }
    const wrong = await fetch(`${url}/graphql`, { method: 'POST', headers, body: url + path })
    expect([wrong.status, (await wrong.text()).includes('news 1')]).toEqual([400, false])
    expect(runs).toEqual(['news'])
  })

  test('is one hit in the trace, and none where what is stored failed', async () => {
    const shouldCacheResult = () => true
    const { sites, trace } = await open({ plugin: { early, shouldCacheResult } })
    for (const query of ['query Fails { fails }', NEWS.query]) {
      await warm(sites[0], { query })
      const before = trace.of('hit').length
      await sites[0].post({ query })
      expect(trace.of('hit')).toHaveLength(before + 1)
    }
  })

  test('is not what a mutation or an invalidation took away', async () => {
    const { sites, runs } = await open({ plugin: { early } })
    await warm(sites[0], NEWS)
    await warm(sites[1], NEWS)
    expect(runs).toEqual(['news'])
    const cache = createCache()
    await cache.close()
    await sites[0].post({ query: 'mutation { write }' })
    expect((await sites[1].post(NEWS)).text).toContain('news 1')
  })

  test('is not given for what a plugin makes of the document, where that differs from request to request', async () => {
    const { seen, plugin } = counting()
    const { sites, trace } = await open({ before: [renames], plugin: { early, session: () => null }, after: [plugin] })
    const ask = (user: string) => sites[0].post({ query: '{ news }' }, { authorization: user })
    for (const user of ['ann', 'bob', 'ann', 'bob', 'ann']) {
      expect(Object.keys(JSON.parse((await ask(user)).text).data)).toEqual([user])
      await trace.saw('publish')
    }
    expect(seen.parsed).toBe(5)
  })

  test('is not a result with errors, nor anything that was not stored', async () => {
    const { sites, runs } = await open({ plugin: { early, shouldCacheResult: () => true } })
    for (let i = 0; i < 3; i++) {
      expect(JSON.parse((await sites[0].post({ query: '{ fails }' })).text).errors[0].message).toBe(
        'fails 1 for nobody',
      )
      await sites[0].post({ query: '{ never }' })
    }
    expect(runs.filter((run) => run === 'never')).toHaveLength(3)
  })

  test('is not given where the request says something about caches, and that counts', async () => {
    const { sites, runs } = await open({ plugin: { early, http: { honorRequest: true } } })
    await warm(sites[0], NEWS)
    await sites[0].post(NEWS, { 'cache-control': 'no-cache' })
    expect(runs).toEqual(['news', 'news'])
  })
})

describe('in front of an early answer', () => {
  test('plugins that refuse do so', async () => {
    const refuses: Plugin = {
      onRequest({ request, endResponse, fetchAPI }) {
        if (request.headers.get('x-refuse') === 'yes') endResponse(new fetchAPI.Response('no', { status: 429 }))
      },
    }
    const csrf = useCSRFPrevention({ requestHeaders: ['x-csrf'] }) as Plugin
    for (const plugins of [{ before: [refuses, csrf] }, { after: [csrf, refuses] }]) {
      const { seen, plugin } = counting()
      const { sites, runs } = await open({ before: [...(plugins.before ?? []), plugin], ...plugins, plugin: { early } })
      const { text } = await warm(sites[0], NEWS)
      const parsed = seen.parsed
      expect((await sites[0].get(NEWS.query, { 'x-csrf': '1' })).text).toBe(text)
      expect((await sites[0].get(NEWS.query, { 'x-csrf': '1', 'x-refuse': 'yes' })).status).toBe(429)
      const forged = await sites[0].get(NEWS.query)
      expect([forged.status, forged.text.includes('news 1')]).toEqual([403, false])
      expect(seen.parsed).toBe(parsed)
      expect(runs).toEqual(['news'])
    }
  })

  test('what is not the one plain operation of a request is Yoga’s affair: all as without it', async () => {
    const yoga = { batching: true, maxRequestBodySize: 50_000 }
    const [plain, site] = await Promise.all([open({ yoga }), open({ yoga, plugin: { early } })])
    const json = { 'content-type': 'application/json', accept: 'application/json' }
    const requests: [string, (one: Site) => Promise<HttpAnswer>][] = [
      ['a batch', (one) => one.post([NEWS, NEWS])],
      ['invalid JSON', (one) => one.send('POST', '/graphql', json, undefined)],
      ['no object', (one) => one.post('query' as never)],
      ['no query', (one) => one.post({ variables: {} })],
      ['a query that is no text', (one) => one.post({ query: 5 })],
      ['a member that nobody knows', (one) => one.post({ ...NEWS, other: 1 })],
      ['variables that are no object', (one) => one.post({ ...NEWS, variables: 'x' })],
      ['an operation that is not there', (one) => one.post({ ...NEWS, operationName: 'Other' })],
      ['a persisted operation', (one) => one.post({ ...NEWS, extensions: { persistedQuery: { version: 1 } } })],
      ['too large a body', (one) => one.post({ ...NEWS, extensions: { more: 'x'.repeat(60_000) } })],
      ['another content type', (one) => one.post(NEWS, { 'content-type': 'text/plain' })],
      ['application/graphql+json', (one) => one.post(NEWS, { 'content-type': 'application/graphql+json' })],
      ['HTML', (one) => one.post(NEWS, { accept: 'text/html' })],
      ['another charset', (one) => one.post(NEWS, { accept: 'application/json;charset=latin1' })],
      ['anything', (one) => one.post(NEWS, { accept: '*/*' })],
      ['two types', (one) => one.post(NEWS, { accept: 'application/graphql-response+json, application/json' })],
      ['two types turned', (one) => one.post(NEWS, { accept: 'application/json, application/graphql-response+json' })],
      ['parts or JSON', (one) => one.post(NEWS, { accept: 'multipart/mixed, application/json;q=0.5' })],
      ['parts', (one) => one.post(NEWS, { accept: 'multipart/mixed' })],
      ['events', (one) => one.post(NEWS, { accept: 'text/event-stream' })],
      ['GET with variables', (one) => one.send('GET', `${pathOf(NEWS.query)}&variables={}`, { accept: '*/*' })],
      ['GET with bad variables', (one) => one.send('GET', `${pathOf(NEWS.query)}&variables={`, { accept: '*/*' })],
      ['GET with extensions', (one) => one.send('GET', `${pathOf(NEWS.query)}&extensions={}`, { accept: '*/*' })],
      ['GET of a mutation', (one) => one.get('mutation { write }')],
      ['the page', (one) => one.send('GET', '/graphql', { accept: 'text/html' })],
      ['PUT', (one) => one.send('PUT', '/graphql', json, NEWS)],
      ['another path', (one) => one.send('POST', '/other', json, NEWS)],
      ['OPTIONS', (one) => one.send('OPTIONS', '/graphql', { origin: 'http://shop.example' })],
    ]
    for (const one of [plain.sites[0], site.sites[0]]) await warm(one, NEWS)
    for (const [what, ask] of requests) {
      const [as, is] = [await ask(plain.sites[0]), await ask(site.sites[0])]
      const seen = ({ status, headers, text }: HttpAnswer) => [what, status, headers['content-type'], text]
      expect(seen(is)).toEqual(seen(as))
    }
  })
})

describe('the option early', () => {
  const cache = createCache()
  const session = () => null

  test.each([
    [{ early: true }, /^early needs session/],
    [{ early: {} }, /^early needs session/],
    [{ early: { session }, enabled: () => true }, /^early can't go with enabled/],
    [{ early: { session }, buildResponseCacheKey: () => 'key' }, /^early can't go with buildResponseCacheKey/],
    [{ early: { session }, getDocumentString: () => '{ a }' }, /^early can't go with getDocumentString/],
    [{ early: { session }, includeExtensionMetadata: true }, /^early can't go with includeExtensionMetadata/],
    [{ early: { session, sesion: session } }, /^early has no option "sesion"; it has session$/],
  ])('%j is refused', (options, message) => {
    expect(() => useAtomCache({ cache, session, ...options } as never)).toThrow(message)
  })
})

/** Each user has a document of its own, whatever was asked. */
const renames: Plugin = {
  onExecute({ args }) {
    const { user } = args.contextValue as unknown as { user: string }
    const alias = { kind: Kind.NAME, value: user } as const
    args.document = visit(args.document as DocumentNode, { Field: (node) => ({ ...node, alias }) })
  },
}
