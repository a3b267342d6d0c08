import { EventEmitter, once } from 'node:events'
import type { ExecutionResult } from 'graphql'
import { describe, expect, test, vi } from 'vitest'
import type { Payload } from '../../../src/adapters/graphql/results/incremental.ts'
import { type Progress, type RelayOptions, relay } from '../../../src/adapters/graphql/results/relay.ts'

const FIRST: Payload = { data: { a: 1 }, hasNext: true }
const SECOND: Payload = { incremental: [{ path: [], data: { b: 2 } }], hasNext: true }
const LAST: Payload = { incremental: [{ path: [], data: { c: 3 } }], hasNext: false }
const WHOLE = { data: { a: 1, b: 2, c: 3 } }

type Given = Payload | Error | 'end'

/** What gives its parts when it is told to, and says when it was ended. */
function createSource() {
  const told = new EventEmitter()
  const parts: Given[] = []
  let returned = false
  return {
    give(...more: Given[]) {
      parts.push(...more)
      told.emit('part')
    },
    get returned() {
      return returned
    },
    [Symbol.asyncIterator](): AsyncIterator<Payload> {
      return {
        async next() {
          while (parts.length === 0 && !returned) await once(told, 'part')
          const part = parts.shift()
          if (part instanceof Error) throw part
          if (part === undefined || part === 'end' || returned) return { value: undefined, done: true }
          if (part.hasNext === false) returned = true
          return { value: part, done: false }
        },
        async return() {
          returned = true
          told.emit('part')
          return { value: undefined, done: true }
        },
      }
    },
  }
}

async function relayed(options: Partial<RelayOptions> = {}) {
  const source = createSource()
  const given = await relay(source, { change: (part) => part, ...options })
  if (given === undefined) throw new Error('it is in parts')
  const reader = given.result as AsyncIterableIterator<Payload>
  return { source, reader, whole: given.whole }
}

async function read(reader: AsyncIterable<Payload>): Promise<Payload[]> {
  const parts: Payload[] = []
  for await (const part of reader) parts.push(part)
  return parts
}

describe('a result in parts', () => {
  test('is handed out as it comes, each part changed, and is whole at its end', async () => {
    const { source, reader, whole } = await relayed({ change: (part) => ({ ...part, extensions: { seen: true } }) })
    source.give(FIRST)
    expect((await reader.next()).value).toEqual({ ...FIRST, extensions: { seen: true } })
    const second = reader.next()
    source.give(SECOND, LAST)
    expect((await second).value).toMatchObject(SECOND)
    expect(await read(reader)).toMatchObject([LAST])
    expect(await whole).toEqual(WHOLE)
    expect(await reader.next()).toEqual({ value: undefined, done: true })
  })

  test('as graphql-js 17 gives it stays in that form', async () => {
    const source = createSource()
    const given = await relay({ initialResult: FIRST, subsequentResults: source }, { change: (part) => ({ ...part }) })
    const result = given?.result as { initialResult: Payload; subsequentResults: AsyncIterable<Payload> }
    source.give(SECOND, LAST)
    expect(result.initialResult).toEqual(FIRST)
    expect(await read(result.subsequentResults)).toEqual([SECOND, LAST])
    expect(await given?.whole).toEqual(WHOLE)
  })

  test.each([undefined, null, 'text', { data: {} }, { initialResult: {} }])('%o is none', async (given) => {
    expect(await relay(given, { change: (part) => part })).toBeUndefined()
  })

  test('is read to its end for others while its reader reads nothing, and is there when it does', async () => {
    const { source, reader, whole } = await relayed()
    source.give(FIRST, SECOND, LAST)
    expect(await whole).toEqual(WHOLE)
    expect(await read(reader)).toEqual([FIRST, SECOND, LAST])
  })

  test('several parts may be asked for at once', async () => {
    const { source, reader } = await relayed()
    const asked = [reader.next(), reader.next(), reader.next(), reader.next()]
    source.give(FIRST, SECOND, LAST)
    expect((await Promise.all(asked)).map(({ value }) => value)).toEqual([FIRST, SECOND, LAST, undefined])
  })
})

describe('a reader that leaves', () => {
  test.each<[string, number]>([
    ['before the first part was asked for', 0],
    ['after the first part', 1],
    ['while it waits for a part', 2],
  ])('%s is noticed at once, and the whole goes on', async (_what, asks) => {
    const left = vi.fn()
    const { source, reader, whole } = await relayed({ left })
    source.give(FIRST)
    const asked = Array.from({ length: asks }, () => reader.next())
    if (asks > 0) await asked[0]
    await reader.return?.()
    expect(left).toHaveBeenCalledTimes(1)
    if (asks > 1) expect(await asked[1]).toEqual({ value: undefined, done: true })
    expect(await reader.next()).toEqual({ value: undefined, done: true })
    expect(source.returned).toBe(false)
    source.give(SECOND, LAST)
    expect(await whole).toEqual(WHOLE)
  })

  test('by throwing is one that leaves', async () => {
    const left = vi.fn()
    const { reader } = await relayed({ left })
    await expect(reader.throw?.(new Error('enough'))).rejects.toThrow('enough')
    expect(left).toHaveBeenCalledTimes(1)
  })

  test('at the end has not left', async () => {
    const left = vi.fn()
    const { source, reader, whole } = await relayed({ left })
    source.give(FIRST, SECOND, LAST)
    await whole
    await reader.return?.()
    expect(left).not.toHaveBeenCalled()
    expect(await reader.next()).toEqual({ value: undefined, done: true })
  })

  test.each([
    ['while the source is quiet', false],
    ['before it began', true],
  ])('as the last who waited, %s: the source is ended', async (_what, early) => {
    const controller = new AbortController()
    if (early) controller.abort(new Error('nobody waits'))
    const { source, whole } = await relayed({ signal: controller.signal })
    whole.catch(() => undefined)
    if (!early) source.give(FIRST)
    controller.abort(new Error('nobody waits'))
    await expect(whole).rejects.toThrow('nobody waits')
    expect(source.returned).toBe(true)
  })
})

describe('a source that throws', () => {
  test('fails the whole, and the reader after the parts that came, once', async () => {
    const { source, reader, whole } = await relayed()
    source.give(FIRST, new Error('broken'))
    await expect(whole).rejects.toThrow('broken')
    expect((await reader.next()).value).toEqual(FIRST)
    await expect(reader.next()).rejects.toThrow('broken')
    expect(await reader.next()).toEqual({ value: undefined, done: true })
  })

  test('without a reader fails the whole only', async () => {
    const { source, reader, whole } = await relayed()
    await reader.return?.()
    source.give(new Error('broken'))
    await expect(whole).rejects.toThrow('broken')
  })
})

describe('what is told before parts are handed out', () => {
  /** Is told, and says when it is done with it. */
  function listener() {
    const calls: [whole: ExecutionResult, progress: Progress][] = []
    const waiting: (() => void)[] = []
    return {
      calls,
      before(whole: ExecutionResult, progress: Progress) {
        calls.push([structuredClone(whole), progress])
        return new Promise<void>((resolve) => waiting.push(resolve))
      },
      done: () => waiting.shift()?.(),
    }
  }

  test('is waited for at the first and at the last part', async () => {
    const { calls, before, done } = listener()
    const { source, reader } = await relayed({ before })
    source.give(FIRST, SECOND, LAST)
    const first = vi.fn()
    const begun = reader.next().then(first)
    await expect.poll(() => calls).toEqual([[{ data: { a: 1 } }, 'begun']])
    expect(first).not.toHaveBeenCalled()
    done()
    await begun
    expect((await reader.next()).value).toEqual(SECOND)
    const last = vi.fn()
    const ended = reader.next().then(last)
    await expect.poll(() => calls.slice(1)).toEqual([[WHOLE, 'complete']])
    expect(last).not.toHaveBeenCalled()
    done()
    await ended
    expect(last).toHaveBeenCalledWith({ value: LAST, done: false })
    expect(calls).toHaveLength(2)
  })

  test('is waited for at the first part also in the form of graphql-js 17', async () => {
    const { calls, before, done } = listener()
    const source = createSource()
    const given = vi.fn()
    const relaying = relay({ initialResult: FIRST, subsequentResults: source }, { change: (part) => part, before })
    const begun = relaying.then(given)
    await expect.poll(() => calls).toEqual([[{ data: { a: 1 } }, 'begun']])
    expect(given).not.toHaveBeenCalled()
    done()
    await begun
    source.give(LAST)
    await expect.poll(() => calls.slice(1)).toEqual([[{ data: { a: 1, c: 3 } }, 'complete']])
    done()
    await (await relaying)?.whole
  })

  test('is one thing where the first part is the last', async () => {
    const before = vi.fn(async () => {})
    const { source, whole } = await relayed({ before })
    source.give({ data: { a: 1 }, hasNext: false })
    await whole
    expect(before.mock.calls).toEqual([[{ data: { a: 1 } }, 'complete']])
  })

  test.each<[string, Given[], object]>([
    ['when the source ends without a last part', [FIRST, SECOND, 'end'], { data: { a: 1, b: 2 } }],
    ['when the source throws', [FIRST, new Error('broken')], { data: { a: 1 } }],
  ])('is also told %s', async (_what, parts, whole) => {
    const before = vi.fn(async () => {})
    const { source, whole: end } = await relayed({ before })
    source.give(...parts)
    await end.catch(() => undefined)
    expect(before.mock.calls.at(-1)).toEqual([whole, 'broken'])
    expect(before).toHaveBeenCalledTimes(2)
  })

  test('when it fails at the last part, the reader has its error in place of that', async () => {
    const before = async (_whole: ExecutionResult, progress: Progress) => {
      if (progress !== 'begun') throw new Error('not confirmed')
    }
    const { source, reader, whole } = await relayed({ before })
    source.give(FIRST, LAST)
    await expect(whole).rejects.toThrow('not confirmed')
    expect((await reader.next()).value).toEqual(FIRST)
    await expect(reader.next()).rejects.toThrow('not confirmed')
  })
})
