/**
 * What happened in a run, as the processes recorded it: all that the checker knows.
 *
 * Instants are ms of the machine's monotonic clock, which all processes share: of two processes, what ended before the
 * other began came first.
 */
export interface History {
  /** By id, as the events of a cache name it. */
  readonly keys: Readonly<Record<string, KeyFacts>>
  readonly processes: readonly ProcessHistory[]
  readonly faults: readonly Fault[]
  /** What was seen in Redis itself, past the caches. */
  readonly sightings: readonly Sighting[]
  /** Nothing is under way any more: what has not ended never will. */
  readonly complete: boolean
  /** ms after which some callers take something stale rather than wait; not said: nobody does. */
  readonly hurry?: number
}

export interface KeyFacts {
  /** Whose data it is; `null`: everybody's. */
  readonly scope: string | null
  /** All tags that its values may have. */
  readonly tags: readonly string[]
  /** ms. */
  readonly lease: number
  /** Its loaders wait for a place in their group. */
  readonly limited?: true
  /** Instances keep it fresh: they look for themselves, of which no record says anything. */
  readonly kept?: true
}

/** One process with one cache: one instance. A process that was killed and started again is another one. */
export interface ProcessHistory {
  readonly name: string
  /** In the order in which the process wrote them down; of a killed one the last may be missing. */
  readonly records: readonly ProcessRecord[]
  readonly killedAt?: number
  /** ms that its memory tier keeps a value at most; not said: it has none. */
  readonly memory?: number
}

/** What the caches keep: of what it was made, and by whom. */
export interface Value {
  /** `B2:load:17`: of a run of a loader, or of a direct set. */
  readonly id: string
  readonly key: string
  readonly scope: string | null
  readonly kind: 'load' | 'set'
  /** When its computation began; of a set, when its versions were asked for. */
  readonly began: number
  /** When its loader returned: the entry is made after this. Of a set it says nothing. */
  readonly done: number
  readonly lasts: Lasts
  /** It says that nothing was found. */
  readonly negative?: true
  /** The origin's versions of the key and of the tags. */
  readonly items: Readonly<Record<string, number>>
  readonly tags: readonly string[]
  /** Of the flight that its loader led; `null`: it ran without one. */
  readonly token: string | null
}

/** For how long an entry is of use, from when it was made. ms. */
export interface Lasts {
  /** `null`: for ever. */
  readonly ttl: number | null
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
}

export type Read = 'getOrSet' | 'getOrSetMany' | 'claim' | 'get' | 'has' | 'entry' | 'getMany'
export type Write = 'set' | 'setMany' | 'delete' | 'invalidate' | 'clear'

export const READS: ReadonlySet<string> = new Set<Read>([
  'getOrSet',
  'getOrSetMany',
  'claim',
  'get',
  'has',
  'entry',
  'getMany',
])

export type ProcessRecord =
  | CallRecord
  | EndRecord
  | ValueRecord
  | LoadRecord
  | LoadedRecord
  | EventRecord
  | TroubleRecord

export interface CallRecord {
  readonly type: 'call'
  readonly call: number
  readonly op: Read | Write
  readonly at: number
  readonly keys: readonly string[]
  /** Those that are invalidated. */
  readonly tags?: readonly string[]
  /** What the origin had before the call, of the keys and tags. */
  readonly versions?: Readonly<Record<string, number>>
  /** Ids of the values that are set, as `keys`. */
  readonly sets?: readonly string[]
  readonly forced?: true
}

export interface EndRecord {
  readonly type: 'end'
  readonly call: number
  readonly at: number
  readonly outcome: Outcome
  /** When the caller's own signal was aborted. */
  readonly abortedAt?: number
}

export type Outcome =
  /** Of a read: ids of the values, as `keys`; `null` for none. Of a write: `'yes'` or `'no'`, as `keys`. */
  | { readonly type: 'got'; readonly values: readonly (string | null)[] }
  | { readonly type: 'done' }
  /** `allowed`: what it may fail with (the loader's error, the caller's abort, a wait limit, not confirmed). */
  | {
      readonly type: 'failed'
      readonly allowed: boolean
      readonly error: string
      /** Whose error it is: of which run of a loader, here or elsewhere, now or some time ago. */
      readonly run?: string
    }

/** A value that this process met for the first time. */
export interface ValueRecord {
  readonly type: 'value'
  readonly value: Value
}

/** A loader, or who claimed by hand and leads, begins. */
export interface LoadRecord {
  readonly type: 'load'
  /** The id of the value that it makes. */
  readonly run: string
  readonly key: string
  readonly at: number
  readonly token: string | null
  readonly forced: boolean
  /** ms; `null`: for ever. */
  readonly ttl: number | null
  /** ms that its error is stored; not said: it is not. */
  readonly errorTtl?: number
  /** It runs behind answers, which had what was stale, or was to be refreshed before its end. */
  readonly refresh?: true
  /** It is one that keeps its key fresh. */
  readonly kept?: true
  /** Its value may be refreshed at any time. */
  readonly early?: true
}

export interface LoadedRecord {
  readonly type: 'loaded'
  readonly run: string
  /** When it returned: the flight's end is sent after this. */
  readonly at: number
  readonly how: 'value' | 'error'
}

/** An event of the cache that the checker judges by. */
export interface EventRecord {
  readonly type: 'event'
  readonly name: EventName
  readonly at: number
  readonly key?: string
  /** The call in whose flight it happened: the one that opened it. */
  readonly call?: number
  readonly token?: string
  /** Of a takeover: whose lease ran out. */
  readonly from?: string
  readonly keys?: readonly string[]
  readonly tags?: readonly string[]
}

export type EventName =
  | 'lead'
  | 'takeover'
  | 'follow'
  | 'followed'
  | 'publish'
  | 'share'
  | 'release'
  | 'fenced'
  | 'alone'
  /** Of a call that followed: something else. */
  | 'wentOn'
  | 'invalidate'
  | 'clear'
  | 'refresh'
  | 'inbox'
  | 'breaker'
  | 'storeFault'

/** Something that the process itself suffered. */
export interface TroubleRecord {
  readonly type: 'trouble'
  /** `stall`: its event loop stood still from `from` on. */
  readonly name: 'stall' | 'unhandled'
  readonly from: number
  readonly at: number
  readonly text: string
}

/** What the nemesis did. */
export interface Fault {
  readonly kind: string
  readonly at: number
  readonly end: number
  /** A process; or all, as what befalls Redis does. */
  readonly target: string
  /** Those whose entry or flight was evicted; all where it is not said. */
  readonly keys?: readonly string[]
}

/** Read after read saw the same bytes under a key. */
export interface Sighting {
  readonly key: string
  readonly value: Value
  readonly stamp: string
  /** When the first and the last of the reads was sent. */
  readonly first: number
  readonly last: number
}

/** ms: a look into Redis that took longer does not count, because it is not known when in it Redis was read. */
export const LOOK_LIMIT = 1000

/** Of a fault that befalls everybody. */
export const ALL = 'all'

/** The machine's clock, as in a history. */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
