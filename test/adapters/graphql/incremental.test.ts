import fc from 'fast-check'
import type { ExecutionResult } from 'graphql'
import { describe, expect, test } from 'vitest'
import { createMerger } from '../../../src/adapters/graphql/results/incremental.ts'
import { ENGINES, type Engine } from './engines.ts'

async function mergedBy(engine: Engine, source: string): Promise<{ count: number; result: ExecutionResult }> {
  const merger = createMerger()
  const parts = await engine.parts(source)
  for (const part of parts) merger.add(part)
  return { count: parts.length, result: merger.result }
}

/** As clients see it; errors in any order. */
function shown({ data, errors = [] }: ExecutionResult): object {
  const told = errors.map(({ message, path }) => `${path?.join('.')}: ${message}`)
  return { data: JSON.parse(JSON.stringify(data)), errors: told.sort() }
}

describe.each(ENGINES)('the parts of $name, merged, are the result of the same query without directives', (engine) => {
  test.each([
    ['one fragment', '{ tree { id ... @defer { late } } }'],
    ['at the root', '{ ... @defer { tree { id } } }'],
    [
      'fragments in fragments',
      '{ tree { ... @defer { child { id ... @defer { late child { ... @defer { name } } } } } } }',
    ],
    [
      'several fragments on one object',
      '{ tree { ... @defer { late } ... @defer { name child { id } } ... @defer { child { late } } } }',
    ],
    ['a fragment that repeats what is there', '{ tree { child { id } ... @defer { child { id name } } } }'],
    ['a spread', '{ tree { ...F @defer(label: "f") } } fragment F on Node { late children { late } }'],
    ['a list, from its beginning', '{ tree { children @stream { id late } } }'],
    ['a list, from its second item', '{ tree { children @stream(initialCount: 1) { id } } }'],
    ['all of a list at once', '{ tree { children @stream(initialCount: 9) { id } } }'],
    ['a list of scalars from an iterable', '{ tree { letters @stream(initialCount: 1) } }'],
    ['lists in lists', '{ tree { children @stream { children @stream(initialCount: 2) { id late } } } }'],
    [
      'a list in a fragment, and fragments in its items',
      '{ tree { ... @defer { children @stream { id ... @defer { late } } } } }',
    ],
    ['a fragment in each item of a list', '{ tree { children { id ... @defer { name children { late } } } } }'],
    [
      'errors in parts',
      '{ tree { broken ... @defer { late broken child { broken } } children @stream { id broken } } }',
    ],
    ['a name that is special', '{ tree { ... @defer { __proto__: child { id } constructor: late } } }'],
  ])('%s', async (_what, source) => {
    const { count, result } = await mergedBy(engine, source)
    expect(shown(result)).toEqual(shown(await engine.whole(source)))
    if (!source.includes('initialCount: 9')) expect(count).toBeGreaterThan(1)
  })

  test('whatever is asked for', async () => {
    await fc.assert(
      fc.asyncProperty(selections(3), async (selection) => {
        const source = numbered(`{ tree { ${selection} } }`)
        const { result } = await mergedBy(engine, source)
        expect(shown(result)).toEqual(shown(await engine.whole(source)))
      }),
      { numRuns: 150 },
    )
  })

  test('a part that fails as a whole leaves its error, and what is there', async () => {
    const { result } = await mergedBy(engine, '{ tree { id ... @defer { name strict } } }')
    expect(shown(result)).toEqual({ data: { tree: { id: '0' } }, errors: ['tree.strict: strict 0'] })
  })

  test('an item that fails ends its list, and leaves its error', async () => {
    const { result } = await mergedBy(
      engine,
      '{ tree { children @stream(initialCount: 1) { id child { id } } strictly: children @stream { strict } } }',
    )
    const { data, errors } = shown(result) as {
      data: { tree: { children: object[]; strictly: object[] } }
      errors: string[]
    }
    expect(data.tree.children).toHaveLength(3)
    expect(data.tree.strictly).toEqual([])
    expect(errors[0]).toMatch(/^tree\.strictly\.0\.strict: strict 0x$/)
  })
})

describe('what is merged', () => {
  test('has the extensions of all parts', () => {
    const merger = createMerger()
    merger.add({ data: { a: 1 }, extensions: { one: 1, both: 'first' }, hasNext: true })
    merger.add({ incremental: [{ path: [], data: { b: 2 }, extensions: { two: 2, both: 'second' } }], hasNext: true })
    merger.add({ extensions: { three: 3 }, hasNext: false })
    expect(merger.result).toEqual({ data: { a: 1, b: 2 }, extensions: { one: 1, two: 2, three: 3, both: 'second' } })
  })

  test('does not change the parts, which are on their way to a reader', () => {
    const first = { data: { list: [{ id: 1 }] }, hasNext: true }
    const patch = { path: ['list', 0], data: { inner: { a: 1 } } }
    const merger = createMerger()
    merger.add(first)
    merger.add({ incremental: [patch], hasNext: true })
    merger.add({ incremental: [{ path: ['list', 0, 'inner'], data: { b: 2 } }], hasNext: false })
    expect(merger.result.data).toEqual({ list: [{ id: 1, inner: { a: 1, b: 2 } }] })
    expect(first.data.list[0]).toEqual({ id: 1 })
    expect(patch.data.inner).toEqual({ a: 1 })
  })

  test('ignores parts of what is not there', () => {
    const merger = createMerger()
    merger.add({ data: { gone: null }, hasNext: true })
    merger.add({
      incremental: [
        { path: ['gone'], data: { a: 1 } },
        { id: 'unheard-of', items: [1] },
      ],
      hasNext: false,
    })
    expect(merger.result).toEqual({ data: { gone: null } })
  })
})

/** Selections of a node, at most so deep. `#` stands for a number, another one each time. */
function selections(depth: number): fc.Arbitrary<string> {
  const leaf = fc.constantFrom('id', 'name', 'late', 'broken', 'letters', 'l#: letters @stream(initialCount: 1)')
  if (depth === 0) return leaf
  const inner = fc.nat(depth - 1).chain(selections)
  const within = (before: readonly string[]) =>
    fc.tuple(fc.constantFrom(...before), inner).map(([what, selection]) => `${what} { ${selection} }`)
  const one = fc.oneof(
    leaf,
    within(['child', 'children', 'c#: children @stream', 'c#: children @stream(initialCount: 2)']),
    within(['... @defer', '... @defer(label: "#")', '... on Node @defer', '...']),
  )
  return fc.array(one, { minLength: 1, maxLength: 4 }).map((all) => all.join(' '))
}

function numbered(source: string): string {
  let number = 0
  return source.replaceAll('#', () => String(number++))
}
