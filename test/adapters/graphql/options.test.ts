import { envelop, type Plugin, useEngine, useSchema } from '@envelop/core'
import * as graphql from 'graphql'
import { createYoga, type Plugin as YogaPlugin } from 'graphql-yoga'
import { afterAll, describe, expect, test } from 'vitest'
import { useAtomCache as useEnvelopCache } from '../../../src/adapters/graphql/envelop.ts'
import { useAtomCache as useYogaCache } from '../../../src/adapters/graphql/yoga.ts'
import { type Cache, createCache } from '../../../src/index.ts'

const cache = createCache()
const withTtl = createCache({ ttl: 5 })
afterAll(() => Promise.all([cache.close(), withTtl.close()]))

const session = () => null
const schema = graphql.buildSchema('type Query { report: Report } type Report { id: ID!, title: String }')

const serveEnvelop = (plugin: object) => envelop({ plugins: [useEngine(graphql), useSchema(schema), plugin as Plugin] })
const serveYoga = (plugin: object) => createYoga({ schema, plugins: [plugin as YogaPlugin], logging: false })

describe.each([
  ['envelop', useEnvelopCache as (options: unknown) => object, serveEnvelop],
  ['Yoga', useYogaCache as (options: unknown) => object, serveYoga],
])('the options of useAtomCache for %s are checked when it is made', (_framework, make, serve) => {
  test('without a session function it says what to give', () => {
    for (const bad of [{ cache }, { cache, session: undefined }, { cache, session: null }, { cache, session: 'ann' }]) {
      expect(() => make(bad)).toThrow(
        new TypeError(
          'useAtomCache needs session: a function that returns whose data a response is, or null for the same for everybody',
        ),
      )
    }
  })

  test.each([
    [{ session }, /^cache must be what createCache\(\) returned$/],
    [{ session, cache: {} }, /^cache must be what createCache\(\) returned$/],
    [{ session, cache: { ...cache } as Cache }, /^cache must be what createCache\(\) returned$/],
    [undefined, /needs session/],
  ])('cache must be one that createCache made: %o', (bad, message) => {
    expect(() => make(bad)).toThrow(TypeError)
    expect(() => make(bad)).toThrow(message)
  })

  test.each([-1, Number.NaN, '60', null])('ttl %o is refused with its bounds', (ttl) => {
    expect(() => make({ cache, session, ttl })).toThrow(/^ttl must be at least 0 \(ms; 0 is never\), or Infinity/)
  })

  test.each([
    [{ staleWhileRevalidate: -1 }, /^staleWhileRevalidate must be at least 0 \(ms\) or Infinity/],
    [{ staleIfError: '60' }, /^staleIfError must be at least 0 \(ms\) or Infinity/],
    [{ softTimeout: 0 }, /^softTimeout must be greater than 0 \(ms\) or Infinity/],
    [{ jitter: 2 }, /^jitter must be a part of the ttl, from 0 to 1/],
    [{ earlyRefresh: 1 }, /^earlyRefresh must be true, false or \{ beta \}/],
  ])('%o is refused with its bounds', (bad, message) => {
    expect(() => make({ cache, session, ...bad })).toThrow(message)
  })

  test.each(['negativeTtl', 'isNegative', 'errorTtl', 'isOutage'])('%s is an option of the cache', (name) => {
    expect(() => make({ cache, session, [name]: 5 })).toThrow(/has no option/)
  })

  test('an option it does not know is refused: a misspelt one would be ignored in silence', () => {
    expect(() => make({ cache, session, tll: 5 })).toThrow(/has no option "tll"/)
  })

  test('a misspelt one is named before what is missing: it may be just that', () => {
    expect(() => make({ cache, sesion: session })).toThrow(/^useAtomCache has no option "sesion"/)
    expect(() => make({ sesion: session })).toThrow(/^useAtomCache has no option "sesion"/)
    expect(() => make({ cache })).toThrow(/^useAtomCache needs session/)
  })

  test.each([[['']], [['id', '']], ['id'], [null], [[5]]])('idFields %j are refused', (idFields) => {
    expect(() => make({ cache, session, idFields })).toThrow(/^idFields must be a list of names/)
  })

  test.each([
    [{ ignoredTypes: ['Query.report'] }, 'ignoredTypes: the schema has no object, interface or union Query.report'],
    [
      { ignoredTypes: ['Report.__typename'] },
      'ignoredTypes: the schema has no object, interface or union Report.__typename',
    ],
    [{ ttlPerType: { 'Report.title': 5 } }, 'ttlPerType: the schema has no object, interface or union Report.title'],
    [
      { ttlPerType: { 'Query.__schema': 5 } },
      'ttlPerType: the schema has no object, interface or union Query.__schema',
    ],
    [
      { ttlPerSchemaCoordinate: { 'Report.__schema': 5 } },
      'ttlPerSchemaCoordinate: the schema has no field Report.__schema',
    ],
    [
      { scopePerSchemaCoordinate: { 'Report.__type': 'PRIVATE' } },
      'scopePerSchemaCoordinate: the schema has no field Report.__type',
    ],
  ])('%j are about what is not there', (options, message) => {
    expect(() => serve(make({ cache, session, ...options }))).toThrow(new TypeError(message))
  })

  test.each([
    { ignoredTypes: ['Report'] },
    { ttlPerType: { Report: 5 } },
    { ttlPerSchemaCoordinate: { Report: 5, 'Report.title': 5, 'Query.__schema': 5, 'Query.__type': undefined } },
    { scopePerSchemaCoordinate: { 'Report.__typename': 'PRIVATE' } },
  ])('%j are about what is there', (options) => {
    expect(() => serve(make({ cache, session, ...options }))).not.toThrow()
  })

  test.each([undefined, 0, 1, Number.POSITIVE_INFINITY])('ttl %o is fine', (ttl) => {
    expect(make({ cache, session, ttl })).toHaveProperty('onExecute')
    expect(make({ cache: withTtl, session, ttl })).toHaveProperty('onExecute')
  })
})
