import { createHash } from 'node:crypto'
import { GraphQLError } from 'graphql'
import type { Plugin } from 'graphql-yoga'
import { describe, expect, test } from 'vitest'
import { type HttpAnswer, pathOf, useHttpTown } from './httpTown.ts'

const open = useHttpTown()

describe('ETag', () => {
  test('is of the content: the same on a miss and on a hit, by GET and by POST, on both servers', async () => {
    const { sites, runs, trace } = await open()
    const [a, b] = sites
    const first = await a.get('{ news }')
    await trace.saw('publish')
    const etags = [
      first,
      await a.get('{ news }'),
      await b.get('query { news }'),
      await b.post({ query: '{ news }' }),
    ].map(({ headers }) => headers.etag)
    expect(new Set(etags)).toEqual(new Set([tagOf(first.text)]))
    expect(runs).toEqual(['news'])
  })

  test('is another one for other content', async () => {
    const { sites } = await open({ plugin: { ttlPerSchemaCoordinate: { 'Query.news': 1 } } })
    const one = await sites[0].get('{ news }')
    await expect.poll(() => sites[1].get('{ news }')).not.toMatchObject({ headers: { etag: one.headers.etag } })
    const other = await sites[1].get('{ news weather }')
    expect(other.headers.etag).toBe(tagOf(other.text))
    expect(other.headers.etag).not.toBe(one.headers.etag)
  })

  test.each<[string, Plugin]>([
    ['adds extensions', changes((result) => Object.assign(result, { extensions: { took: 3 } }))],
    ['writes into the data', changes(({ data }) => Object.assign(data, { news: 'other news' }))],
    ['replaces the data', changes((result) => Object.assign(result, { data: { news: 'other news' } }))],
    ['gives another result', { onExecutionResult: ({ setResult }) => setResult({ data: { news: 'other news' } }) }],
    ['adds errors', changes((result) => Object.assign(result, { errors: [new GraphQLError('late')] }))],
  ])('is absent where a plugin %s; nor may a cache give that to others', async (_what, plugin) => {
    const { sites, trace } = await open({ plugin: { http: { maxAge: 60 } }, after: [plugin] })
    await sites[0].get('{ news }')
    await trace.saw('publish')
    for (const site of sites) {
      const { headers, status } = await site.get('{ news }', { 'if-none-match': '*' })
      expect([status, headers.etag, headers['cache-control']]).toEqual([200, undefined, 'private, no-cache'])
      expect(headers['cache-status']).toMatch(/^atomcache; hit/)
    }
  })

  test('is there where a plugin only looks at the result', async () => {
    const { sites, trace } = await open({
      plugin: { http: { maxAge: 60 } },
      after: [changes(({ data }) => void data.news)],
    })
    const first = await sites[0].get('{ news }')
    await trace.saw('publish')
    const { headers, text } = await sites[1].get('{ news }')
    expect(headers.etag).toBe(tagOf(text))
    expect([first.headers.etag, headers['cache-control']]).toEqual([headers.etag, expect.stringMatching(/^public/)])
  })

  test.each([
    ['errors', '{ fails }', {}],
    ['ttl 0', '{ never }', {}],
    ['what is private without a session', '{ mine }', {}],
    ['metadata in the result', '{ news }', { includeExtensionMetadata: true }],
    ['a session that is not known', '{ news }', { session: () => undefined }],
    ['a cache that is off', '{ news }', { enabled: () => false }],
  ])('is absent with %s', async (_what, query, plugin) => {
    const { sites } = await open({ plugin })
    for (const site of [...sites, ...sites]) {
      const { status, headers } = await site.get(query, { 'if-none-match': '*' })
      expect([status, headers.etag]).toEqual([200, undefined])
    }
  })

  test('is absent from mutations', async () => {
    const { sites } = await open()
    const { status, headers } = await sites[0].post({ query: 'mutation { write }' }, { 'if-none-match': '*' })
    expect([status, headers.etag, headers['cache-control']]).toEqual([200, undefined, undefined])
  })

  test.each(['multipart/mixed', 'text/event-stream'])(
    'is absent from %s, which has more than the text',
    async (accept) => {
      const { sites, trace } = await open({ plugin: { http: { maxAge: 60 } } })
      const { headers } = await sites[0].get('{ news }')
      await trace.saw('publish')
      const wrapped = await sites[1].get('{ news }', { accept, 'if-none-match': String(headers.etag) })
      expect([wrapped.status, wrapped.headers.etag]).toEqual([200, undefined])
      expect(wrapped.headers['content-type']).toContain(accept)
      expect(wrapped.headers['cache-control']).toMatch(/no-cache$/)
      expect(wrapped.text).toContain('news 1 for nobody')
    },
  )

  test('differs between the two types of JSON, whose bytes are the same', async () => {
    const { sites } = await open()
    const ask = (type: string, more = {}) => sites[0].get('{ news }', { accept: `application/${type}`, ...more })
    const [plain, graphql] = [await ask('json'), await ask('graphql-response+json')]
    expect([graphql.text, graphql.headers.etag === plain.headers.etag]).toEqual([plain.text, false])
    for (const { headers } of [plain, graphql]) {
      const status = async (type: string) => (await ask(type, { 'if-none-match': String(headers.etag) })).status
      const isPlain = headers === plain.headers
      expect([await status('json'), await status('graphql-response+json')]).toEqual(isPlain ? [304, 200] : [200, 304])
    }
  })

  test('of compressed bytes is a weak one, and holds all the same', async () => {
    const { sites } = await open({ before: [zips] })
    const { headers } = await sites[0].get('{ news }')
    expect(headers).toMatchObject({ etag: expect.stringMatching(/^W\/"/), 'content-encoding': 'gzip' })
    const again = await sites[0].get('{ news }', { 'if-none-match': String(headers.etag) })
    expect([again.status, again.headers.etag, again.headers['content-encoding']]).toEqual([
      304,
      headers.etag,
      undefined,
    ])
  })

  test('of a plugin’s own stays', async () => {
    const { sites } = await open({ before: [tells({ etag: '"own"' })] })
    const { status, headers } = await sites[0].get('{ news }', { 'if-none-match': '"own"' })
    expect([status, headers.etag]).toEqual([200, '"own"'])
  })
})

describe('304', () => {
  const MATCHING = [
    (etag: string) => etag,
    (etag: string) => `W/${etag}`,
    (etag: string) => `"x", W/"y,z" ,\t${etag}`,
    (etag: string) => `${etag},${etag}`,
    () => '*',
  ]
  const OTHER = [
    () => '"x"',
    (etag: string) => etag.slice(1, -1),
    (etag: string) => etag.toLowerCase() + etag,
    (etag: string) => `*, ${etag}`,
    (etag: string) => `"x${etag}`,
    (etag: string) => `w/${etag}`,
    (etag: string) => `"${'x'.repeat(8_000)}", ${etag} y`,
    () => '**',
    () => 'graphql:key:of:somebody',
    () => '__proto__',
  ]

  test('answers If-None-Match with the tag in any form of a list, by GET only', async () => {
    const { sites } = await open()
    const [a, b] = sites
    const { headers } = await a.get('{ news }')
    for (const form of MATCHING) {
      const asked = { 'if-none-match': form(String(headers.etag)) }
      expect(await b.get('{ news }', asked)).toMatchObject({ status: 304, text: '', headers: { etag: headers.etag } })
      expect(await b.post({ query: '{ news }' }, asked)).toMatchObject({ status: 200, headers: { etag: headers.etag } })
    }
  })

  test('does not answer anything else', async () => {
    const { sites, runs } = await open()
    const first = await sites[0].get('{ news }')
    for (const form of OTHER) {
      const asked = { 'if-none-match': form(String(first.headers.etag)) }
      expect(await sites[0].get('{ news }', asked)).toMatchObject({ status: 200, text: first.text })
    }
    expect(runs).toEqual(['news'])
  })

  test('comes on a miss too, where the content is what it was', async () => {
    const { sites, runs } = await open()
    const same = { data: { __typename: 'Query' } }
    const text = JSON.stringify(same)
    const answer = await sites[0].get('{ __typename }', { 'if-none-match': tagOf(text) })
    expect([answer.status, answer.headers['cache-status']]).toEqual([304, expect.stringMatching(/fwd=miss; stored/)])
    expect(runs).toEqual([])
  })

  test('has what caches need, CORS, and nothing of the content', async () => {
    const { sites, trace } = await open({ plugin: { http: { maxAge: 60, vary: ['Accept-Language'] } } })
    const asked = { origin: 'http://shop.example' }
    const { headers } = await sites[0].get('{ news }', asked)
    await trace.saw('publish')
    const whole = await sites[1].get('{ news }', asked)
    const {
      status,
      text,
      headers: brief,
    } = await sites[1].get('{ news }', { ...asked, 'if-none-match': String(headers.etag) })
    expect([status, text]).toEqual([304, ''])
    expect(brief).toMatchObject({
      etag: headers.etag,
      vary: whole.headers.vary,
      age: expect.stringMatching(/^\d+$/),
      'cache-control': expect.stringMatching(/^public, max-age=\d+$/),
      'cache-status': expect.stringMatching(/^atomcache; hit; ttl=\d+$/),
      'access-control-allow-origin': 'http://shop.example',
      'access-control-allow-credentials': 'true',
    })
    for (const name of ['content-type', 'content-length', 'content-encoding']) expect(brief[name]).toBeUndefined()
  })

  test('is for who may see the content: not for whom a plugin refuses', async () => {
    const { sites } = await open({ before: [refuses], plugin: { session: () => null } })
    const { headers } = await sites[0].get('{ news }', { authorization: 'ann' })
    for (const tag of [String(headers.etag), '*']) {
      const refused = await sites[1].get('{ news }', { authorization: 'mallory', 'if-none-match': tag })
      expect([refused.status, refused.headers.etag, refused.headers['cache-control']]).toEqual([
        403,
        undefined,
        undefined,
      ])
      expect(refused.text).not.toContain('news 1')
    }
  })

  test('is not for another session, whose content is another', async () => {
    const { sites, runs } = await open()
    const ann = await sites[0].get('{ mine }', { authorization: 'ann' })
    const bob = await sites[0].get('{ mine }', { authorization: 'bob', 'if-none-match': String(ann.headers.etag) })
    expect([bob.status, JSON.parse(bob.text)]).toEqual([200, { data: { mine: 'mine 2 for bob' } }])
    const nobody = await sites[1].get('{ mine }', { 'if-none-match': String(ann.headers.etag) })
    expect([nobody.status, nobody.headers.etag]).toEqual([200, undefined])
    expect(
      (await sites[1].get('{ mine }', { authorization: 'ann', 'if-none-match': String(ann.headers.etag) })).status,
    ).toBe(304)
    expect(runs).toHaveLength(3)
  })

  test('is not for what is not valid any more, or refused by validation', async () => {
    const { sites } = await open()
    for (const query of ['{ nothing }', '{', 'mutation { write }']) {
      const { status, headers } = await sites[0].get(query, { 'if-none-match': '*' })
      expect(status).not.toBe(304)
      expect([headers.etag, headers['cache-status']]).toEqual([undefined, undefined])
    }
  })

  test('HEAD is refused by Yoga; where a plugin makes it possible, it is as GET without the content', async () => {
    const plain = await open()
    expect((await plain.sites[0].send('HEAD', pathOf('{ news }'))).status).toBe(405)
    const { sites } = await open({ before: [headAsGet] })
    const got = await sites[0].get('{ news }')
    const head = (headers = {}) => sites[0].send('HEAD', pathOf('{ news }'), { accept: 'application/json', ...headers })
    expect(await head()).toMatchObject({ status: 200, text: '', headers: { etag: got.headers.etag } })
    expect(await head({ 'if-none-match': String(got.headers.etag) })).toMatchObject({ status: 304, text: '' })
  })

  test('serves a real client that keeps what it got', async () => {
    const { sites } = await open()
    const url = sites[0].url + pathOf('{ news }')
    const first = await fetch(url)
    const etag = String(first.headers.get('etag'))
    const again = await fetch(url, { headers: { 'if-none-match': etag } })
    expect([again.status, await again.text(), again.headers.get('etag')]).toEqual([304, '', etag])
  })
})

function tagOf(text: HttpAnswer['text']): string {
  return `"${createHash('sha256').update(text).digest('base64url').slice(0, 27)}"`
}

interface Shown {
  data: Record<string, unknown>
}

/** A plugin that sees every result, from the cache or not. */
function changes(change: (result: Shown) => void): Plugin {
  return { onExecute: () => ({ onExecuteDone: ({ result }) => change(result as unknown as Shown) }) }
}

/** Sets headers of every response. */
function tells(headers: Record<string, string>): Plugin {
  return {
    onResponse({ response }) {
      for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
    },
  }
}

const refuses: Plugin = {
  onContextBuilding({ context }) {
    if ((context as unknown as { request: Request }).request.headers.get('authorization') === 'ann') return
    throw new GraphQLError('no', { extensions: { http: { status: 403 } } })
  },
}

const headAsGet: Plugin = {
  onRequest({ request, setRequest, fetchAPI }) {
    const { url, headers } = request
    if (request.method === 'HEAD') setRequest(new fetchAPI.Request(url, { method: 'GET', headers }))
  },
}

const zips: Plugin = {
  onResponse({ response, setResponse, fetchAPI }) {
    const headers = new fetchAPI.Headers(response.headers)
    headers.set('content-encoding', 'gzip')
    headers.delete('content-length')
    const body = response.body?.pipeThrough(new fetchAPI.CompressionStream('gzip')) ?? null
    setResponse(new fetchAPI.Response(body, { status: response.status, headers }))
  },
}
