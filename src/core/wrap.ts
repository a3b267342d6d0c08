import type { Cache } from './cache.ts'
import type { KeptFresh } from './keepFresh.ts'
import type { Key } from './key.ts'
import { type CallOptions, ofSet, type TagsOption } from './options.ts'
import type { LoadContext, Loader } from './order.ts'

export interface WrapOptions<A extends unknown[], V> extends Omit<CallOptions<V>, 'tags'> {
  /** The key of a call. Calls with the same key are one. */
  key: (...args: A) => Key
  /** As in `CallOptions`; a function gets the arguments of the call, and then the value. */
  tags?: readonly string[] | ((...args: [...A, value: V]) => readonly string[]) | undefined
}

/**
 * The arguments of a call: what stands before the context. Parameters that a loader does not name, or names without a
 * type, are taken for the context; so each of `wrap`'s is `LoadContext` unless something else is inferred for it.
 */
export type BeforeContext<P extends unknown[]> = P extends [infer First, ...infer Rest]
  ? IsContext<First> extends true
    ? []
    : [First, ...BeforeContext<Rest>]
  : []

type IsContext<P> = 0 extends 1 & P
  ? false // any
  : [P] extends [LoadContext]
    ? [LoadContext] extends [P]
      ? true
      : false
    : false

/** A function whose results are cached. */
export interface Wrapped<A extends unknown[], V> {
  (...args: A): Promise<V>
  key(...args: A): Key
  /** As `cache.get`. */
  get(...args: A): Promise<V | undefined>
  /** As `cache.set`; the value comes last. */
  set(...args: [...A, value: V]): Promise<boolean>
  /** As `cache.delete`. */
  delete(...args: A): Promise<void>
  /** Computes anew and stores it. */
  refresh(...args: A): Promise<V>
  /** As `cache.keepFresh`. */
  keepFresh(...args: A): KeptFresh
}

/** @throws TypeError for what is not a function with a key */
export function checkWrap(load: unknown, options: { readonly key?: unknown } | undefined): void {
  if (typeof load !== 'function') throw new TypeError('wrap takes a function and { key: (...args) => key }')
  if (typeof options?.key !== 'function') throw new TypeError('wrap needs the option key: (...args) => key')
}

/** `getOrSet` and its like with options that were checked once. */
export interface WrapCalls {
  idOf(key: Key): string
  held(id: string): { readonly value: unknown } | undefined
  ask(id: string, key: Key, load: Loader<unknown>, forced: boolean, tags: TagsOption | undefined): Promise<unknown>
  keepFresh(key: Key, load: Loader<unknown>, tags: TagsOption | undefined): KeptFresh
}

export function wrapLoader<A extends unknown[], V>(
  cache: Cache,
  load: (...args: [...A, LoadContext]) => V | Promise<V>,
  options: WrapOptions<A, V>,
  calls: WrapCalls,
): Wrapped<A, V> {
  const { key, tags } = options
  // The context stands behind all arguments that `key` names: one that a call leaves out must not be taken for it.
  const complete = (args: A) => Object.assign(new Array(Math.max(args.length, key.length)).fill(undefined), args) as A
  const tagsOf = (args: A) =>
    typeof tags === 'function' ? (value: unknown) => tags(...complete(args), value as V) : tags
  const loaderOf =
    (args: A): Loader<V> =>
    (context) =>
      load(...complete(args), context)
  const ask = async (args: A, forced: boolean) => {
    const asked = key(...args)
    const id = calls.idOf(asked)
    const held = forced ? undefined : calls.held(id)
    return (held === undefined ? calls.ask(id, asked, loaderOf(args), forced, tagsOf(args)) : held.value) as V
  }

  return Object.assign((...args: A) => ask(args, false), {
    key,
    get: (...args: A) => cache.get<V>(key(...args)),
    set: (...given: [...A, value: V]) => {
      const args = given.slice(0, -1) as A
      return cache.set<V>(key(...args), given.at(-1) as V, { ...ofSet(options), tags: tagsOf(args) })
    },
    delete: (...args: A) => cache.delete(key(...args)),
    refresh: (...args: A) => ask(args, true),
    keepFresh: (...args: A) => calls.keepFresh(key(...args), loaderOf(args), tagsOf(args)),
  })
}
