import type { ExecutionResult, GraphQLError } from 'graphql'
import { copyOf, type Data, define } from './data.ts'

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
  const told = new Set<string>()
  const pending = new Map<string, Path>()
  let extensions: Record<string, unknown> | undefined

  function note(part: { readonly errors?: readonly GraphQLError[]; readonly extensions?: Record<string, unknown> }) {
    for (const error of part.errors ?? []) {
      // Executors that run a field once for each fragment that has it tell its error as often.
      const at = JSON.stringify([error.path, error.message])
      if (error.path === undefined || !told.has(at)) errors.push(error)
      told.add(at)
    }
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
    const there = Object.hasOwn(into, name) ? (into as Data)[name] : undefined
    if (typeof there === 'object' && there !== null && typeof value === 'object' && value !== null) merge(there, value)
    else define(into as Data, name, value)
  }
}
