import { useDepthLimit } from '@envelop/depth-limit'
import { useDisableIntrospection } from '@envelop/disable-introspection'
import { useGraphQlJit } from '@envelop/graphql-jit'
import { EnvelopArmorPlugin } from '@escape.tech/graphql-armor'
import { useAPQ } from '@graphql-yoga/plugin-apq'
import { useCSRFPrevention } from '@graphql-yoga/plugin-csrf-prevention'
import { useDeferStream } from '@graphql-yoga/plugin-defer-stream'
import { usePersistedOperations } from '@graphql-yoga/plugin-persisted-operations'
import { describe, expect, inject, test } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { traceOf } from '../trace.ts'
import { askPersisted, authenticate, get, limitRate, ME, MINE, NEIGHBOURS, post, type Side } from './neighbours.ts'
import { serveEnvelop } from './serveEnvelop.ts'
import { serveYoga } from './serveYoga.ts'
import { type Town, useTown } from './shop.ts'

const SIDES: readonly Side[] = ['before', 'after']
const store = () => redisStore(inject('redisUrl'))

/** Each neighbour in each framework that has a place for it, before and after the cache in the list of plugins. */
const PLACES = NEIGHBOURS.flatMap((neighbour) =>
  (neighbour.yogaOnly ? [serveYoga] : [serveYoga, serveEnvelop]).flatMap((serve) =>
    (neighbour.sides ?? SIDES).map((side) => {
      const framework = serve === serveYoga ? 'Yoga' : 'envelop'
      return { ...neighbour, serve, side, what: `${neighbour.name} ${side} the cache, in ${framework}` }
    }),
  ),
)

describe.each(PLACES)('$what', ({ serve, side, plugins, ask = post }) => {
  const open = useTown(serve, store)
  const answer = async (...args: Parameters<typeof ask>) => {
    const response = await ask(...args)
    return { status: response.status, text: await response.text() }
  }

  test.each([ME, MINE])(
    'the second request is a hit with the same bytes, and another user has its own: %s',
    async (query) => {
      const { shops, runs } = await open({ [side]: plugins() })
      const [a, b] = shops
      const trace = traceOf(a.cache, b.cache)
      const first = await answer(a, query, 'ann')
      expect(first.status).toBe(200)
      expect(JSON.parse(first.text)).toMatchObject({ data: { me: 'user ann by A1' } })
      expect(first.text).not.toContain('__atomcache')
      await trace.saw('publish')
      const ran = runs.length
      expect(await answer(b, query, 'ann')).toEqual(first)
      expect(await answer(b, query, 'ann')).toEqual(first)
      expect(runs).toHaveLength(ran)
      const other = await answer(b, query, 'bob')
      expect(other.text).toContain('user bob by B')
      expect(other.text).not.toContain('ann')
    },
  )

  test('what is not stored looks as ever', async () => {
    const { shops } = await open({ [side]: plugins(), options: { ttlPerType: { Product: 0 } } })
    const { text } = await answer(shops[0], MINE, 'ann')
    expect(JSON.parse(text)).toEqual({
      data: { me: 'user ann by A1', product: { id: '1', name: 'product 1 by A2' } },
    })
  })
})

describe.each(SIDES)('what is refused is refused where it would be a hit, with the plugin %s the cache', (side) => {
  const open = useTown(serveYoga, store)
  const openEnvelop = useTown(serveEnvelop, store)

  /** Everybody’s response is stored, by A, for ann; B is still to be asked. */
  async function stored(town: Town, ask = post, query = ME): Promise<{ b: Town['shops'][1]; hits(): number }> {
    const [a, b] = town.shops
    const trace = traceOf(a.cache, b.cache)
    expect(await (await ask(a, query, 'ann')).text()).toContain('user ann')
    await trace.saw('publish')
    return { b, hits: () => trace.of('hit').length }
  }

  test.each([
    ['Yoga', open],
    ['envelop', openEnvelop],
  ])('who is nobody, by @envelop/generic-auth in %s', async (_framework, open) => {
    const { b, hits } = await stored(await open({ [side]: [authenticate()], session: () => null }))
    const refused = await (await post(b, ME, undefined)).text()
    expect(refused).toContain('Unauthorized')
    expect(refused).not.toContain('user ann')
    expect(hits()).toBe(0)
    expect(await (await post(b, ME, 'bob')).text()).toContain('user ann')
  })

  test.each([
    ['Yoga', open],
    ['envelop', openEnvelop],
  ])('only a part of it, by @envelop/generic-auth in %s', async (_framework, open) => {
    const { b } = await stored(await open({ [side]: [authenticate(true)], session: () => null }), post, MINE)
    const partly = JSON.parse(await (await post(b, MINE, undefined)).text())
    expect(partly).toMatchObject({ data: { me: null, product: { id: '1' } }, errors: [{ path: ['me'] }] })
    const whole = JSON.parse(await (await post(b, MINE, 'bob')).text())
    expect(whole).toMatchObject({ data: { me: 'user ann by A1', product: { id: '1' } } })
    expect(whole.errors).toBeUndefined()
    expect(JSON.parse(await (await post(b, MINE, undefined)).text()).data.me).toBeNull()
  })

  test.each([
    ['Yoga', open],
    ['envelop', openEnvelop],
  ])('who asks too often, by @envelop/rate-limiter in %s', async (_framework, open) => {
    const { b, hits } = await stored(await open({ [side]: [limitRate(3)] }))
    for (let i = 0; i < 2; i++) expect(await (await post(b, ME, 'ann')).text()).toContain('user ann')
    const refused = await (await post(b, ME, 'ann')).text()
    expect(refused).toMatch(/too often/)
    expect(refused).not.toContain('user ann')
    expect(hits()).toBe(2)
    expect(await (await post(b, ME, 'bob')).text()).toContain('user bob')
  })

  test('what another site sends, by @graphql-yoga/plugin-csrf-prevention', async () => {
    const town = await open({ [side]: [useCSRFPrevention()], session: () => null })
    const { b, hits } = await stored(town, get({ 'x-graphql-yoga-csrf': '1' }))
    const refused = await get({})(b, ME, 'ann')
    expect(refused.status).toBe(403)
    expect(await refused.text()).not.toContain('user ann')
    expect(hits()).toBe(0)
  })

  test('what is not on the list, by @graphql-yoga/plugin-persisted-operations', async () => {
    let known: string | null = ME
    const plugin = usePersistedOperations({ getPersistedOperation: () => known })
    const { b, hits } = await stored(await open({ [side]: [plugin], session: () => null }), askPersisted)
    known = null
    for (const ask of [askPersisted, post]) {
      const refused = await (await ask(b, ME, 'ann')).text()
      expect(refused).toMatch(/PersistedQuery/)
      expect(refused).not.toContain('user ann')
    }
    expect(hits()).toBe(0)
  })

  test('a hash that is not that of the text, by @graphql-yoga/plugin-apq', async () => {
    const { b, hits } = await stored(await open({ [side]: [useAPQ()], session: () => null }), askPersisted)
    const response = await fetch(`${b.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: ME, extensions: { persistedQuery: { version: 1, sha256Hash: 'other' } } }),
    })
    expect(await response.text()).toContain('PersistedQueryMismatch')
    expect(hits()).toBe(0)
  })

  test.each([
    ['@envelop/depth-limit', useDepthLimit({ maxDepth: 0 }), /exceeds maximum operation depth/],
    ['@escape.tech/graphql-armor', EnvelopArmorPlugin({ maxDepth: { n: 1 } }) as object, /depth limit/i],
  ])('what is too deep, by %s', async (_name, plugin, message) => {
    const strict = switched(plugin)
    const { b, hits } = await stored(await open({ [side]: [strict.plugin], session: () => null }), post, MINE)
    strict.on = true
    const refused = await (await post(b, MINE, 'ann')).text()
    expect(refused).toMatch(message)
    expect(refused).not.toContain('user ann')
    expect(hits()).toBe(0)
  })

  test('questions about the schema, by @envelop/disable-introspection', async () => {
    const { shops } = await open({ [side]: [useDisableIntrospection()] })
    for (const shop of shops) {
      expect(await (await post(shop, '{ __schema { types { name } } }', 'ann')).text()).toMatch(/introspection/i)
    }
  })
})

describe('@graphql-yoga/plugin-defer-stream', () => {
  const open = useTown(serveYoga, store)

  test.each(SIDES)('%s the cache gives a result in parts, whose whole is a hit', async (side) => {
    const { shops, runs } = await open({ [side]: [useDeferStream()] })
    const trace = traceOf(...shops.map(({ cache }) => cache))
    const query = '{ product(id: 1) { name ... @defer { slow } } }'
    expect(await (await shops[0].post(query, { accept: 'multipart/mixed' })).text()).toContain('"hasNext":false')
    await trace.saw('publish')
    expect((await shops[1].ask(query)).body).toEqual({
      data: { product: { name: 'product 1 by A1', slow: 'slow 1 by A2' } },
    })
    expect(runs).toHaveLength(2)
  })
})

describe('@envelop/graphql-jit', () => {
  const open = useTown(serveYoga, store)

  test('after the cache replaces it: it is not asked', async () => {
    const { shops, runs } = await open({ after: [useGraphQlJit()] })
    const trace = traceOf(...shops.map(({ cache }) => cache))
    for (const shop of shops) await shop.ask(ME)
    expect(runs).toHaveLength(2)
    expect(trace.events).toEqual([])
  })
})

describe('all of them together', () => {
  const open = useTown(serveYoga, store)
  const all = () => NEIGHBOURS.filter(({ name }) => !/persisted|csrf|response-cache|own JSON/.test(name))

  test('before the cache', async () => {
    const { shops, runs } = await open({ before: all().flatMap(({ plugins }) => plugins()) })
    const trace = traceOf(...shops.map(({ cache }) => cache))
    const first = await (await askPersisted(shops[0], MINE, 'ann')).text()
    await trace.saw('publish')
    expect(await (await askPersisted(shops[1], MINE, 'ann')).text()).toBe(first)
    expect(await (await askPersisted(shops[1], MINE, 'bob')).text()).toContain('user bob by B')
    expect(await (await askPersisted(shops[1], MINE, undefined)).text()).toContain('Unauthorized')
    expect(runs).toHaveLength(4)
  })
})

/** The plugin, which does something only while it is on. */
function switched(plugin: object): { on: boolean; plugin: object } {
  const state = { on: false, plugin: {} }
  const hooks = Object.entries(plugin as Record<string, (payload: { addPlugin(added: object): void }) => unknown>)
  state.plugin = Object.fromEntries(
    hooks.map(([name, hook]) => [
      name,
      (payload: { addPlugin(added: object): void }) => {
        if (name !== 'onPluginInit') return state.on ? hook(payload) : undefined
        const addPlugin = (added: object) => {
          const inner = switched(added)
          Object.defineProperty(inner, 'on', { get: () => state.on })
          payload.addPlugin(inner.plugin)
        }
        return hook({ ...payload, addPlugin })
      },
    ]),
  )
  return state
}
