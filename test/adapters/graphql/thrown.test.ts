import { buildSchema, type ExecutionResult, parse } from 'graphql'
import { afterEach, describe, expect, test } from 'vitest'
import { cachedExecute } from '../../../src/adapters/graphql/cachedExecute.ts'
import { type Cache, type CacheOptions, createCache, memoryStore } from '../../../src/index.ts'
import { createGate } from '../gate.ts'
import { traceOf } from '../trace.ts'

const caches: Cache[] = []
afterEach(async () => {
  await Promise.all(caches.splice(0).map((cache) => cache.close()))
})

const schema = buildSchema('type Query { it: String }')
const document = parse('{ it }')

/** What three who ask at once are told, where execution itself throws. */
async function crowd(options: Partial<CacheOptions>, thrown: (user: string) => Error): Promise<unknown[]> {
  const cache = createCache({ store: memoryStore(), ttl: 60_000, ...options })
  caches.push(cache)
  const answer = cachedExecute({ cache, session: () => null })
  const trace = traceOf(cache)
  const gate = createGate()
  gate.shut()
  const asking = ['ann', 'bob', 'cid'].map((user) =>
    answer({ schema, document, contextValue: {} }, async (): Promise<ExecutionResult> => {
      await gate.pass()
      throw thrown(user)
    }),
  )
  const settled = Promise.allSettled(asking)
  await Promise.all([gate.holds(1), trace.saw('join', 2)])
  gate.open()
  return (await settled).map((one) => (one.status === 'rejected' ? one.reason : one.value))
}

describe('what execution itself throws', () => {
  const broken = (user: string) => new Error(`broken for ${user}`)
  const messages = (errors: unknown[]) => errors.map((error) => (error as Error).message)

  test('is told to all who wait', async () => {
    expect(messages(await crowd({}, broken))).toEqual(Array(3).fill('broken for ann'))
  })

  test('where shareError says no, or throws, to nobody else', async () => {
    const unknowing = () => {
      throw new Error('who knows')
    }
    for (const shareError of [() => false, unknowing]) {
      const errors = await crowd({ shareError }, broken)
      expect(messages(errors)).toEqual(['broken for ann', 'broken for bob', 'broken for cid'])
    }
  })

  test('nor where it speaks of the rights of one', async () => {
    const errors = await crowd({}, (user) => Object.assign(broken(user), { code: 'FORBIDDEN' }))
    expect(messages(errors)).toEqual(['broken for ann', 'broken for bob', 'broken for cid'])
  })

  test('has its headers for who ran it', async () => {
    const http = { status: 429, headers: { 'set-cookie': 'user=ann' } }
    const errors = await crowd({}, (user) => Object.assign(broken(user), { extensions: { http } }))
    const told = errors.map((error) => (error as { extensions: { http: object } }).extensions.http)
    expect(told).toEqual([http, { status: 429 }, { status: 429 }])
  })
})
