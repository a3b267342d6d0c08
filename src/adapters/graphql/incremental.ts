import type { ExecutionResult, GraphQLError } from 'graphql'
import { copyOf } from './results.ts'

/** What comes of a result that is delivered in parts (`@defer`, `@stream`): the first part, or a later one. */
export interface Payload {
  readonly data?: unknown
  readonly errors?: readonly GraphQLError[]
  readonly extensions?: Record<string, unknown>
  readonly hasNext?: boolean
  readonly pending?: readonly { readonly id: string; readonly path: Path }[]
  readonly incremental?: readonly Patch[]
  readonly completed?: readonly { readonly id: string; readonly errors?: readonly GraphQLError[] }[]
}

type Path = readonly (string | number)[]

/** A part of the data: where it stands is said by its path, or by what was announced as pending under its id. */
interface Patch {
  readonly path?: Path
  readonly id?: string
  readonly subPath?: Path
  readonly data?: unknown
  readonly items?: readonly unknown[] | null
  readonly errors?: readonly GraphQLError[]
  readonly extensions?: Record<string, unknown>
}

/** Puts the parts of a result together, in either of the forms in which executors deliver them. */
export interface Merger {
  add(payload: Payload): void
  /** The whole result so far. */
  readonly result: ExecutionResult
}

export function createMerger(): Merger {
  const root: { data?: unknown } = {}
  const errors: GraphQLError[] = []
  const pending = new Map<string, Path>()
  let extensions: Record<string, unknown> | undefined

  function note(part: { readonly errors?: readonly GraphQLError[]; readonly extensions?: Record<string, unknown> }) {
    errors.push(...(part.errors ?? []))
    if (part.extensions !== undefined) extensions = { ...extensions, ...part.extensions }
  }

  function patch({ path, id = '', subPath = [], data, items }: Patch): void {
    const at = ['data', ...(path ?? [...(pending.get(id) ?? []), ...subPath])]
    if (items !== undefined && items !== null) {
      // By path each says where it begins; by id they follow each other.
      const last = at.at(-1)
      const start = path !== undefined && typeof last === 'number' ? last : undefined
      const list = valueAt(root, start === undefined ? at : at.slice(0, -1))
      if (!Array.isArray(list)) return
      for (const [i, item] of items.entries()) list[start === undefined ? list.length : start + i] = copyOf(item)
    } else if (data !== undefined && data !== null) {
      merge(valueAt(root, at), copyOf(data))
    }
  }

  return {
    add(payload) {
      if (payload.data !== undefined) root.data = copyOf(payload.data)
      note(payload)
      for (const { id, path } of payload.pending ?? []) pending.set(id, path)
      for (const part of payload.incremental ?? []) {
        note(part)
        patch(part)
      }
      for (const done of payload.completed ?? []) note(done)
    },
    get result() {
      const data = root.data as Record<string, unknown> | null
      return {
        data,
        ...(errors.length === 0 ? {} : { errors }),
        ...(extensions === undefined ? {} : { extensions }),
      }
    },
  }
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<string | number, unknown>)[step]
  }
  return value
}

/** Several fragments may bring parts of one object. */
function merge(into: unknown, from: unknown): void {
  if (typeof into !== 'object' || into === null || typeof from !== 'object' || from === null) return
  for (const [name, value] of Object.entries(from)) {
    const there = Object.hasOwn(into, name) ? (into as Record<string, unknown>)[name] : undefined
    if (typeof there === 'object' && there !== null && typeof value === 'object' && value !== null) merge(there, value)
    else Object.defineProperty(into, name, { value, enumerable: true, writable: true, configurable: true })
  }
}

/** A result in parts on its way to whoever asked for it. */
export interface Relay {
  /** For that one: it may take its time, or leave. */
  readonly parts: AsyncGenerator<Payload>
  /** The whole, when the last part has come; rejects with what the source throws. */
  readonly whole: Promise<ExecutionResult>
}

export interface RelayOptions {
  readonly source: AsyncIterable<Payload>
  /** What is handed out of a part. */
  change(payload: Payload): Payload
  /** Awaited before the last part is handed out; what it throws the reader gets. */
  last?(whole: ExecutionResult): Promise<unknown>
  /** The reader has left before the end. */
  left?(): void
  /** Ends the source: nobody waits for the whole. */
  readonly signal?: AbortSignal
}

/** Reads the source to its end, whether its reader keeps up or not: others wait for the whole. */
export function relay({ source, change, last, left, signal }: RelayOptions): Relay {
  const merger = createMerger()
  const parts: Payload[] = []
  let ended = false
  let failure: { readonly error: unknown } | undefined
  let wake = () => {}

  async function pump(): Promise<ExecutionResult> {
    const iterator = source[Symbol.asyncIterator]()
    const stop = () => void iterator.return?.().then(undefined, () => undefined) // it is given up, whatever it says
    signal?.addEventListener('abort', stop)
    try {
      for (;;) {
        const { done, value } = await iterator.next()
        signal?.throwIfAborted()
        if (done) return merger.result
        merger.add(value)
        if (value.hasNext === false) await last?.(merger.result)
        parts.push(change(value))
        wake()
      }
    } catch (error) {
      failure = { error }
      throw error
    } finally {
      signal?.removeEventListener('abort', stop)
      ended = true
      wake()
    }
  }

  async function* read(): AsyncGenerator<Payload> {
    try {
      for (;;) {
        const part = parts.shift()
        if (part !== undefined) yield part
        else if (failure !== undefined) throw failure.error
        else if (ended) return
        else await new Promise<void>((resolve) => (wake = resolve))
      }
    } finally {
      if (!ended) left?.()
    }
  }

  return { parts: read(), whole: pump() }
}

/** Whether a result comes in parts. */
export function isIncremental(result: unknown): result is AsyncIterable<Payload> {
  return typeof result === 'object' && result !== null && Symbol.asyncIterator in result
}
