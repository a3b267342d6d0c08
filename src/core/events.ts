import { channel, tracingChannel } from 'node:diagnostics_channel'
import { messageOf } from './errors.ts'

/** Why a caller's loader ran without a flight, and its value is not published. */
export type AloneReason =
  /** The store failed, or the breaker is open. */
  | 'store'
  /** The leader's outcome may not be shared. */
  | 'unshareable'
  /** Two flights in a row ended without an outcome of use. */
  | 'fruitless'
  /** `waitTimeout` passed, and `onWaitTimeout` is `'load'`. */
  | 'waitTimeout'
  /** The cache was closed. */
  | 'closed'
  /** The kill switch `enabled` is off. */
  | 'disabled'

/** Everything that happens in a cache, as `cache.on` tells it. `key` is the id: the canonical text of the key. */
export type CacheEvent =
  /** The store had the value, and it is fresh; or an error that was stored in the place of one, which is thrown. */
  | { readonly type: 'hit'; readonly key: string }
  /** This process's memory had it: the store was not asked. */
  | { readonly type: 'memoryHit'; readonly key: string }
  /**
   * A value was answered that is not fresh: while it is refreshed; or in the place of an error, or of a wait that was too long.
   */
  | {
      readonly type: 'stale'
      readonly key: string
      readonly reason: 'revalidating' | 'error' | 'softTimeout' | 'waitTimeout' | 'queue'
    }
  /** This instance refreshes a value behind answers: it leads the flight (`lead`), or waits for that of another (`follow`). */
  | { readonly type: 'refresh'; readonly key: string }
  /** What is kept fresh could not be refreshed; it is tried again in `retryIn` ms. */
  | { readonly type: 'keepFresh'; readonly what: string; readonly error: unknown; readonly retryIn: number }
  /** There is none that may be answered as it is. */
  | { readonly type: 'miss'; readonly key: string }
  /** A caller joined a flight of this instance. */
  | { readonly type: 'join'; readonly key: string }
  /** This instance holds the lease of a key and runs the loader. */
  | { readonly type: 'lead'; readonly key: string; readonly token: string }
  /** As `lead`, and the leader it waited for had let its lease run out. Comes right before `lead`. */
  | { readonly type: 'takeover'; readonly key: string; readonly token: string; readonly from: string }
  /** A loader waits for a place in the group of its `limit`; `ahead`: so many wait longer. */
  | { readonly type: 'queue'; readonly key: string; readonly group: string; readonly ahead: number }
  /** One that waited has its place, after `duration` ms. */
  | { readonly type: 'admit'; readonly key: string; readonly group: string; readonly duration: number }
  /** This instance waits for another flight. */
  | { readonly type: 'follow'; readonly key: string; readonly token: string }
  /** A flight that this instance waited for has ended; `duration` is how long it waited, in ms. */
  | {
      readonly type: 'followed'
      readonly key: string
      readonly token: string
      readonly outcome: 'value' | 'ready' | 'error' | 'again' | 'alone'
      readonly duration: number
    }
  /** The leader's value is stored and told to all who wait; `duration` is the flight's, in ms. */
  | {
      readonly type: 'publish'
      readonly key: string
      readonly token: string
      readonly bytes: number
      readonly duration: number
    }
  /** The leader's value was told to all who wait, and not stored. */
  | { readonly type: 'share'; readonly key: string; readonly token: string; readonly reason: string }
  /** The leader gave its flight back without an outcome; those who wait claim again. */
  | { readonly type: 'release'; readonly key: string; readonly token: string; readonly reason: string }
  /** The leader found its flight gone or another's: its value is not published. */
  | { readonly type: 'fenced'; readonly key: string; readonly token: string }
  /** A loader runs longer than `maxFlightTime`: its lease is not renewed any more. */
  | { readonly type: 'overdue'; readonly key: string; readonly token: string }
  /** The loader runs without a flight. */
  | { readonly type: 'alone'; readonly key: string; readonly reason: AloneReason }
  | { readonly type: 'waitTimeout'; readonly key: string; readonly policy: 'load' | 'stale' | 'throw' }
  /** `shared`: those who wait in other instances are told. */
  | { readonly type: 'loaderError'; readonly key: string; readonly error: unknown; readonly shared: boolean }
  /** A value can't be stored (`reason` says why, `path` where in it). Once per `shape`: that of the key, or an adapter's name for it. */
  | {
      readonly type: 'uncacheable'
      readonly key: string
      readonly shape: string
      readonly reason: string
      readonly path: string
    }
  /** A value is not stored, because clients have made too many keys: by which limit of `maxNewKeys`, and how many that allows. */
  | {
      readonly type: 'tooManyKeys'
      readonly key: string
      readonly shape: string
      readonly limit: 'perScope' | 'perOperation'
      readonly most: number
    }
  /**
   * A function among the options threw, or returned what it must not: the value is returned, not stored. Or an adapter's option
   * is about something, named by `key`, that is not there.
   */
  | { readonly type: 'policyError'; readonly key: string; readonly option: string; readonly error: unknown }
  /** An adapter answered without the cache: it is not known whose data it is, or its input can't be a key. */
  | { readonly type: 'bypass'; readonly what: string; readonly reason: string }
  /** What the store holds under the key is not ours, or damaged. Treated as a miss. */
  | { readonly type: 'foreign'; readonly key: string; readonly reason: string }
  | { readonly type: 'set'; readonly key: string }
  /** Keys and tags were invalidated here, or (`remote`) another instance said so. */
  | {
      readonly type: 'invalidate'
      readonly keys: readonly string[]
      readonly tags: readonly string[]
      readonly remote: boolean
    }
  /** The namespace was cleared here, or (`remote`) by another instance. */
  | { readonly type: 'clear'; readonly remote: boolean }
  /** An invalidation behind a mutation was not confirmed. `retried`: it is tried again until it is; not where the cache is closed. */
  | {
      readonly type: 'unconfirmed'
      readonly keys: readonly string[]
      readonly tags: readonly string[]
      readonly retried: boolean
      readonly error: unknown
    }
  /**
   * The store may drop keys by its `policy` to make room, or has dropped `evicted` since it was last asked: what an
   * invalidation by tag needs may be among them, and entries be missed. Told where tags are used.
   */
  | { readonly type: 'eviction'; readonly policy: string; readonly evicted: number }
  /** A command failed, or (`op: 'connection'`) a connection. */
  | { readonly type: 'storeFault'; readonly op: string; readonly key?: string; readonly error: unknown }
  | { readonly type: 'breaker'; readonly state: 'open' | 'half-open' | 'closed' }
  /** Messages arrive (`true`) or may be lost (`false`: those who wait poll). */
  | { readonly type: 'inbox'; readonly confirmed: boolean }

export type CacheEventType = CacheEvent['type']
export type CacheEventOf<T extends CacheEventType> = Extract<CacheEvent, { type: T }>
/** What a listener of the type gets; one of `'*'` gets all. */
export type CacheListener<T extends CacheEventType | '*' = '*'> = (
  event: T extends CacheEventType ? CacheEventOf<T> : CacheEvent,
) => void

export interface Events {
  emit(event: CacheEvent): void
  /** As `emit`, for what happens more often than all else: where nobody listens no event is made. */
  count(type: 'hit' | 'memoryHit' | 'miss' | 'join', key: string): void
  on<T extends CacheEventType | '*'>(type: T, listener: CacheListener<T>): () => void
  /** How often each type happened, since the cache was made. */
  counts(): Readonly<Record<CacheEventType, number>>
}

/** What a subscriber of the channel `atomcache:event` gets. */
export interface ChannelMessage {
  readonly namespace: string
  readonly instanceId: string
  readonly event: CacheEvent
}

/** What a subscriber of the tracing channels `atomcache:getOrSet` and `atomcache:load` gets. */
export interface TraceMessage {
  readonly namespace: string
  readonly instanceId: string
  readonly key: string
}

const eventChannel = channel('atomcache:event')
/** One per caller: from the call to its answer. */
export const getOrSetChannel = tracingChannel<unknown, TraceMessage>('atomcache:getOrSet')
/** One per run of a loader. */
export const loadChannel = tracingChannel<unknown, TraceMessage>('atomcache:load')

/** Nobody should have to subscribe to learn of these: without a listener they become process warnings. */
const FAULTS: Partial<{ [T in CacheEventType]: (event: CacheEventOf<T>) => string | undefined }> = {
  storeFault: ({ op, key, error }) =>
    `the store failed in ${op}${key === undefined ? '' : ` of ${key}`}: ${messageOf(error)}`,
  foreign: ({ key, reason }) => `${key} holds something that is not ours: ${reason}`,
  uncacheable: ({ shape, reason, path }) =>
    `values of ${shape} can't be cached: ${reason}${path === '' ? '' : ` at ${path}`}`,
  tooManyKeys: ({ shape, limit, most }) =>
    `values of ${shape} are not stored for a while: clients have made ${most} new keys (maxNewKeys.${limit})`,
  bypass: ({ what, reason }) => `${what} is not cached: ${reason}`,
  policyError: ({ key, option, error }) => `the option ${option} failed for ${key}: ${messageOf(error)}`,
  keepFresh: ({ what, error }) => `${what} could not be kept fresh, and is tried again: ${messageOf(error)}`,
  overdue: ({ key }) => `a loader, or a claim that was not ended, holds ${key} for longer than maxFlightTime`,
  unconfirmed: ({ retried, error }) =>
    `an invalidation behind a mutation ${retried ? 'is tried again' : 'is not tried again, because the cache is closed'}: ${messageOf(error)}`,
  eviction: ({ policy, evicted }) =>
    `${evicted === 0 ? 'the store may drop keys' : `the store dropped ${evicted} keys`} to make room (${policy}), ` +
    'and an invalidation by tag can miss what it has lost track of: use noeviction, or enough memory',
  breaker: ({ state }) =>
    state === 'open' ? 'the store is left alone for a while: too many failures in a row' : undefined,
}

/** ms between two process warnings of one kind. */
const WARN_AGAIN_AFTER = 60_000

/** Complete by its type: a new event can't be forgotten here. */
export const NONE_YET: Readonly<Record<CacheEventType, 0>> = {
  hit: 0,
  memoryHit: 0,
  stale: 0,
  refresh: 0,
  keepFresh: 0,
  miss: 0,
  join: 0,
  lead: 0,
  takeover: 0,
  queue: 0,
  admit: 0,
  follow: 0,
  followed: 0,
  publish: 0,
  share: 0,
  release: 0,
  fenced: 0,
  overdue: 0,
  alone: 0,
  waitTimeout: 0,
  loaderError: 0,
  uncacheable: 0,
  tooManyKeys: 0,
  policyError: 0,
  bypass: 0,
  foreign: 0,
  set: 0,
  invalidate: 0,
  clear: 0,
  unconfirmed: 0,
  eviction: 0,
  storeFault: 0,
  breaker: 0,
  inbox: 0,
}

/** Characters of a process warning. */
const MAX_WARNING = 2000

/** Control characters, and what breaks or turns a line: what clients send must not look like another line of a log. */
const UNSHOWN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

function shown(message: string): string {
  const text = message.length > MAX_WARNING ? `${message.slice(0, MAX_WARNING)}…` : message
  return text.replace(UNSHOWN, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}

export function createEvents(namespace: string, instanceId: string): Events {
  const listeners = new Map<CacheEventType | '*', Set<CacheListener>>()
  const counts: Record<CacheEventType, number> = { ...NONE_YET }
  const warnedAt = new Map<string, number>()

  function tell(set: Set<CacheListener> | undefined, event: CacheEvent): boolean {
    if (set === undefined || set.size === 0) return false
    // A copy: a listener may take itself off, and on again.
    for (const listener of [...set]) {
      try {
        const answer: unknown = listener(event)
        if (answer instanceof Promise) answer.catch((error) => complain(event, error))
      } catch (error) {
        complain(event, error)
      }
    }
    return true
  }

  /** A listener must not be able to break a request; it must not fail in silence either. */
  function complain(event: CacheEvent, error: unknown): void {
    warn('LISTENER', `a listener of ${event.type} threw: ${messageOf(error)}`)
  }

  function warn(kind: string, message: string): void {
    const now = performance.now()
    if (now - (warnedAt.get(kind) ?? Number.NEGATIVE_INFINITY) < WARN_AGAIN_AFTER) return
    warnedAt.set(kind, now)
    process.emitWarning(shown(`${namespace}: ${message}`), { type: 'AtomcacheWarning', code: `ATOMCACHE_${kind}` })
  }

  function emit(event: CacheEvent): void {
    counts[event.type]++
    if (listeners.size === 0 && !eventChannel.hasSubscribers && !(event.type in FAULTS)) return
    const heard = tell(listeners.get(event.type), event)
    const heardByAll = tell(listeners.get('*'), event)
    if (eventChannel.hasSubscribers) {
      eventChannel.publish({ namespace, instanceId, event } satisfies ChannelMessage)
      return
    }
    if (heard || heardByAll) return
    const say = FAULTS[event.type] as ((event: CacheEvent) => string | undefined) | undefined
    const message = say?.(event)
    if (message !== undefined) warn(event.type.replace(/[A-Z]/g, '_$&').toUpperCase(), message)
  }

  return {
    emit,

    count(type, key) {
      if (listeners.size > 0 || eventChannel.hasSubscribers) emit({ type, key })
      else counts[type]++
    },

    on(type, listener) {
      if (type !== '*' && !Object.hasOwn(NONE_YET, type)) {
        throw new TypeError(`there is no event '${String(type)}'; there are '*', ${Object.keys(NONE_YET).join(', ')}`)
      }
      if (typeof listener !== 'function') throw new TypeError('on takes an event and a function')
      const set = listeners.get(type) ?? new Set()
      listeners.set(type, set)
      // Wrapped, so that one function may listen twice and each unsubscriber ends its own.
      const own: CacheListener = (event) => (listener as unknown as CacheListener)(event)
      set.add(own)
      return () => {
        set.delete(own)
        if (set.size === 0 && listeners.get(type) === set) listeners.delete(type)
      }
    },

    counts: () => ({ ...counts }),
  }
}
