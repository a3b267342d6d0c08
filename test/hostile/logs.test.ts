import { inspect } from 'node:util'
import { initTRPC } from '@trpc/server'
import { buildSchema, execute, parse } from 'graphql'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { cachedExecute } from '../../src/adapters/graphql/cachedExecute.ts'
import { cached } from '../../src/adapters/trpc/index.ts'
import { createCache, memoryStore } from '../../src/index.ts'
import { traceOf } from '../adapters/trace.ts'
import { type Bench, type Context, useTwins } from '../adapters/trpc/twins.ts'

const warnings: Error[] = []
const warned = (warning: Error) => void warnings.push(warning)
beforeEach(() => {
  warnings.length = 0
  process.on('warning', warned)
})
afterEach(() => {
  process.off('warning', warned)
})

/** What was warned of; warnings come with the next turn. */
async function said(): Promise<string[]> {
  await new Promise(setImmediate)
  return warnings.map(({ message }) => message)
}

describe('a process warning', () => {
  test.each([
    ['a line break', '\r\n2026-01-01 ERROR all is lost', '\\u{d}\\u{a}2026-01-01 ERROR all is lost'],
    ['colours and cursors of a terminal', '\x1b[2J\x9b31m', '\\u{1b}[2J\\u{9b}31m'],
    ['what turns the direction of text', '\u202eevil\u2066', '\\u{202e}evil\\u{2066}'],
    ['separators of lines', 'a\u2028b\u2029c', 'a\\u{2028}b\\u{2029}c'],
    ['half a character', '\ud800', '\\u{d800}'],
  ])('shows %s as what it is, in a key as in an error', async (_what, text, shown) => {
    const broken = () => {
      throw new Error(`no ${text}`)
    }
    await using cache = createCache({ namespace: 'logs', ttl: broken })
    expect(await cache.getOrSet(`of ${text}`, () => 1)).toBe(1)
    const [message = ''] = await said()
    const key = text.isWellFormed() ? `of ${shown}` : `"of ${text.replace('\ud800', '\\ud800')}"`
    expect(message).toBe(`logs: the option ttl failed for ${key}: no ${shown}`)
  })

  test('is not as long as clients make it', async () => {
    const broken = () => {
      throw new Error('x'.repeat(1_000_000))
    }
    await using cache = createCache({ namespace: 'logs', ttl: broken })
    await cache.getOrSet('key', () => 1)
    expect((await said())[0]?.length).toBe(2001)
  })

  test('nor as the name that a client gives its operation', async () => {
    await using cache = createCache({ namespace: 'logs', ttl: 1000 })
    const trace = traceOf(cache)
    const run = cachedExecute({ cache, session: () => undefined as never })
    const document = parse(`query ${'Q'.repeat(100_000)} { a }`)
    await run(
      { schema: buildSchema('type Query { a: Int }'), document, rootValue: { a: 1 }, contextValue: {} },
      execute,
    )
    expect(trace.of('bypass')[0]?.what).toBe(`query ${'Q'.repeat(100)}`)
  })
})

describe('what a client sends is in no event', () => {
  const open = useTwins(() => memoryStore())
  const t = initTRPC.context<Context>().create()
  const routerOf = ({ cache, run }: Bench) =>
    t.router({
      ask: t.procedure
        .use(cached({ cache, scope: null }))
        .input((input) => input)
        .query(() => run('ask')),
    })

  test.each([
    ['that is no JSON', (word: string) => `{"word":"${word}"`],
    ['that is another word', (word: string) => word],
    ['whose members are named by it, too deep', (word: string) => `{"${word}":${'['.repeat(150)}${']'.repeat(150)}}`],
  ])('%s', async (_what, inputOf) => {
    const { a } = await open(routerOf)
    const word = 'Sesame'
    for (const isHeard of [false, true]) {
      const trace = isHeard ? traceOf(a.cache) : undefined
      const url = `${a.url}/ask?input=${encodeURIComponent(inputOf(word))}`
      const { status } = await fetch(url)
      expect([200, 400]).toContain(status)
      if (isHeard) expect(trace?.of('bypass')).toHaveLength(1)
      expect(inspect(trace?.events, { depth: 10 })).not.toContain(word)
    }
    expect((await said()).join()).not.toContain('Sesame')
    expect(warnings).toHaveLength(1)
  })
})
