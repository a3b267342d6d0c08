import { GraphQLLiveDirective, useLiveQuery } from '@envelop/live-query'
import { InMemoryLiveQueryStore } from '@n1ru4l/in-memory-live-query-store'
import { GraphQLSchema } from 'graphql'
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/index.ts'
import { STORES } from '../stores.ts'
import { traceOf } from '../trace.ts'
import { serveYoga } from './serveYoga.ts'
import { type Shop, useTown } from './shop.ts'

const DEFERRED = '{ product(id: 1) { id name ... @defer { slow } } }'
const MULTIPART = 'multipart/mixed'
const EVENTS = 'text/event-stream'

describe.each(STORES)('results in parts over HTTP, by two servers of Yoga and $name', ({ make }) => {
  const open = useTown(serveYoga, make)

  /** Asks in parts, and reads the first. */
  async function begin(shop: Shop, gate: { holds(count: number): Promise<void>; open(): void; shut(): void }) {
    const away = new AbortController()
    gate.shut()
    const asked = shop.post(DEFERRED, { accept: MULTIPART, signal: away.signal })
    await gate.holds(1)
    gate.open()
    gate.shut() // what is deferred runs later
    const reader = (await asked).body?.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (!text.includes('"hasNext":true')) text += (await reader?.read())?.value ?? ''
    await gate.holds(1)
    return { leave: () => away.abort(), text }
  }

  test.each([MULTIPART, 'text/event-stream', 'application/json', 'application/graphql-response+json', '*/*'])(
    'a hit is one complete result, for a client that accepts %s',
    async (accept) => {
      const { shops, runs } = await open({ incremental: true })
      const trace = traceOf(...shops.map(({ cache }) => cache))
      await (await shops[0].post(DEFERRED, { accept: MULTIPART })).text()
      await trace.saw('publish')
      const response = await shops[1].post(DEFERRED, { accept })
      expect(response.status).toBe(200)
      if (accept !== '*/*') expect(response.headers.get('content-type')).toContain(accept)
      const [json = ''] = /\{"data".*\}/.exec(await response.text()) ?? []
      expect(JSON.parse(json)).toEqual({
        data: { product: { id: '1', name: 'product 1 by A1', slow: 'slow 1 by A2' } },
      })
      expect(runs).toEqual(['product 1', 'slow 1'])
    },
  )

  test('a client that reads nothing holds up nobody else', async () => {
    const { shops, gate, runs } = await open({ incremental: true })
    const trace = traceOf(...shops.map(({ cache }) => cache))
    gate.shut()
    const unread = shops[0].post(DEFERRED, { accept: MULTIPART })
    await gate.holds(1)
    const others = shops.map((shop) => shop.ask(DEFERRED))
    await Promise.all([trace.saw('follow'), trace.saw('join')])
    gate.open()
    for (const { body } of await Promise.all(others)) expect(body.data?.product).toHaveProperty('slow', 'slow 1 by A2')
    expect(runs).toHaveLength(2)
    await (await unread).body?.cancel()
  })

  test('a client that leaves in the middle: the others get the whole', async () => {
    const { shops, gate, runs } = await open({ incremental: true })
    const trace = traceOf(...shops.map(({ cache }) => cache))
    const { leave } = await begin(shops[0], gate)
    const others = shops.map((shop) => shop.ask(DEFERRED))
    await Promise.all([trace.saw('follow'), trace.saw('join')])
    leave()
    gate.open()
    for (const { body } of await Promise.all(others)) {
      expect(body).toEqual({ data: { product: { id: '1', name: 'product 1 by A1', slow: 'slow 1 by A2' } } })
    }
    expect(runs).toHaveLength(2)
  })

  test('a client that leaves in the middle, and nobody else waits: it is given up', async () => {
    const { shops, gate, runs } = await open({ incremental: true })
    const trace = traceOf(...shops.map(({ cache }) => cache))
    const { leave } = await begin(shops[0], gate)
    leave()
    await trace.saw('release')
    expect(trace.of('release').map(({ reason }) => reason)).toEqual(['abandoned'])
    gate.open()
    const { body } = await shops[1].ask('{ product(id: 1) { id name ... @defer(if: false) { slow } } }')
    expect(body.data?.product).toHaveProperty('slow', expect.stringMatching(/by B/))
    await trace.saw('publish')
    expect(trace.of('publish')).toHaveLength(1)
    expect(runs).toHaveLength(4)
  })

  test('errors in parts: who asked has the parts, who waited the whole, and nothing is stored', async () => {
    const { shops, gate, runs } = await open({ incremental: true })
    const trace = traceOf(...shops.map(({ cache }) => cache))
    const query = '{ me ... @defer { partly } }'
    gate.shut()
    const led = shops[0].post(query, { accept: MULTIPART }).then((response) => response.text())
    await gate.holds(1)
    const followed = shops[1].ask(query)
    await trace.saw('follow')
    gate.open()
    expect(await led).toContain('no second')
    expect((await followed).body).toMatchObject({
      data: { me: 'user undefined by A1', partly: ['partly by A2', null] },
      errors: [{ message: 'no second', path: ['partly', 1] }],
    })
    await (await shops[1].post(query, { accept: MULTIPART })).text()
    expect(runs).toHaveLength(4)
    expect(trace.of('publish')).toEqual([])
  })

  test('a source that throws breaks its own stream; the next one to ask runs it anew', async () => {
    const { shops } = await open({ incremental: true, before: [breaks] })
    const trace = traceOf(...shops.map(({ cache }) => cache))
    for (const shop of shops) {
      const response = await shop.post(DEFERRED, { accept: MULTIPART })
      const text = await response.text()
      expect(text).toContain('"hasNext":true')
      expect(text).toContain('Unexpected error.')
    }
    expect(trace.of('lead')).toHaveLength(2)
    expect(trace.of('publish')).toEqual([])
  })

  test('a mutation in parts has invalidated what it returns when its first part leaves, and when its last does', async () => {
    const { shops, runs, gate } = await open({ incremental: true })
    const [a, b] = shops
    const trace = traceOf(a.cache, b.cache)
    const query = '{ product(id: 1) { name } }'
    await a.ask(query)
    await trace.saw('publish')
    gate.shut()
    const posted = b.post('mutation { relabel(id: 1) { name ... @defer { slow } } }', { accept: MULTIPART })
    await gate.holds(1)
    gate.open()
    gate.shut() // for what is deferred
    const decoder = new TextDecoder()
    const whole = chunksOf<Uint8Array>((await posted).body)
    const parts = whole[Symbol.asyncIterator]() as AsyncIterableIterator<Uint8Array>
    let text = ''
    while (!text.includes('relabel 1')) text += decoder.decode((await parts.next()).value, { stream: true })
    expect(text).not.toContain('"hasNext":false')
    const own = trace.of('invalidate').filter(({ remote }) => !remote)
    expect(own.map(({ tags }) => tags)).toEqual([[expect.stringContaining('Product:1')]])
    gate.open()
    for await (const part of parts) text += decoder.decode(part, { stream: true })
    expect(text).toContain('"hasNext":false')
    expect(trace.of('invalidate').filter(({ remote }) => !remote)).toHaveLength(2)
    expect(text).not.toContain('__atomcache')
    expect((await a.ask(query)).body.data?.product).toEqual({ name: 'product 1 by A2' })
    expect(runs).toEqual(['product 1', 'relabel 1', 'slow 1', 'product 1'])
  })
})

/** An executor whose results break off after the first part. */
const breaks = {
  onExecute({ setExecuteFn }: { setExecuteFn(execute: () => AsyncIterable<object>): void }) {
    setExecuteFn(async function* () {
      yield { data: { product: { id: '1' } }, hasNext: true }
      throw new Error('broken off')
    })
  },
}

describe.each([
  ['before', 'before'],
  ['after', 'after'],
] as const)('@envelop/live-query %s the cache in the list of plugins', (_where, side) => {
  const open = useTown(serveYoga, memoryStore)

  test('live queries pass untouched, and the cache is not asked', async () => {
    const liveQueryStore = new InMemoryLiveQueryStore()
    const { shops } = await open({ [side]: [useLive(), useLiveQuery({ liveQueryStore })] })
    const trace = traceOf(...shops.map(({ cache }) => cache))
    const ask = async (shop: Shop) => eventsOf(await shop.post('query @live { me }', { accept: EVENTS }))
    const [atA, atB] = [await ask(shops[0]), await ask(shops[1])]
    for (const run of [1, 2, 3]) {
      expect((await atA.next()).value).toMatchObject({ data: { me: `user undefined by A${run}` } })
      expect((await atB.next()).value).toMatchObject({ data: { me: `user undefined by B${run}` } })
      await liveQueryStore.invalidate('Query.me')
    }
    await Promise.all([atA.return(undefined), atB.return(undefined)])
    expect(trace.events).toEqual([])
  })

  test('other queries are cached', async () => {
    const liveQueryStore = new InMemoryLiveQueryStore()
    const { shops, runs } = await open({ [side]: [useLive(), useLiveQuery({ liveQueryStore })] })
    const trace = traceOf(...shops.map(({ cache }) => cache))
    const { text } = await shops[0].ask('{ me }')
    await trace.saw('publish')
    expect((await shops[1].ask('{ me }')).text).toBe(text)
    expect(runs).toHaveLength(1)
  })
})

/** The directive, in the schema. */
function useLive(): object {
  return {
    onSchemaChange({ schema, replaceSchema }: { schema: GraphQLSchema; replaceSchema(schema: GraphQLSchema): void }) {
      if (schema.getDirective('live')) return
      const config = schema.toConfig()
      replaceSchema(new GraphQLSchema({ ...config, directives: [...config.directives, GraphQLLiveDirective] }))
    },
  }
}

/** Not all versions of the declarations know that streams can be iterated. */
function chunksOf<T>(stream: unknown): AsyncIterable<T> {
  return stream as AsyncIterable<T>
}

/** The payloads of server-sent events, as they come. */
async function* eventsOf({ body }: Response): AsyncGenerator<object> {
  let text = ''
  for await (const chunk of chunksOf<string>(body?.pipeThrough(new TextDecoderStream()))) {
    const lines = (text + chunk).split('\n')
    text = lines.pop() ?? ''
    for (const line of lines) if (line.startsWith('data: {')) yield JSON.parse(line.slice('data: '.length))
  }
}
