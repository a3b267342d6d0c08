import type { Ticket } from './bulkhead.ts'
import type { Times } from './entry.ts'
import type { Key } from './key.ts'
import type { Loss } from './leader.ts'
import type { Asker } from './newKeys.ts'
import type { Policy, TagsOption } from './options.ts'

/** What a loader gets. */
export interface LoadContext {
  /** Aborted when nobody waits for the value any more, in this instance or another. */
  readonly signal: AbortSignal
  readonly key: Key
  /** A value that was there before, and is not fresh any more: for asking the origin whether it has changed. */
  readonly stale?: unknown
}

export type Loader<V> = (context: LoadContext) => V | Promise<V>

/** What a trip is made for. */
export interface Order {
  readonly id: string
  readonly key: Key
  readonly policy: Policy
  /** What events of values that can't be stored call it, once for each. Default: the shape of the key. */
  readonly shape?: string | undefined
  /** Of this call, where they are not the policy's. */
  readonly tags?: TagsOption | undefined
  /** Of an error that is stored. Default: the tags where they are a list; what a function makes of a value nobody knows then. */
  readonly errorTags?: readonly string[] | undefined
  readonly forced: boolean
  /** Of what a client asks for: for whom. */
  readonly asker?: Asker | undefined
  /** For the place in the group of its limit, where several share one: they are computed together. */
  readonly ticket?: Ticket | undefined
  /**
   * Of a value that is made of others, which may have been computed before its own flight: the clock of tags that they hold
   * since, by each of their tags. Asked for with the tags.
   */
  readonly since?: (() => ReadonlyMap<string, number>) | undefined
  /** Called before the loader is run for all, with the clock of tags then, where that is known. */
  readonly onLead?: ((clock: number | undefined) => void) | undefined
  /** Called where something was stored when it was asked for, and again where a stale value is answered in the place of another. */
  readonly onFound?: ((entry: Times, use: FoundUse) => void) | undefined
  /**
   * Called before the answer where the value was sent to be stored, with the times it has there; whether it is, the reply says
   * later.
   */
  readonly onStore?: ((times: Times) => void) | undefined
  /** Called when the flight that ran the loader has ended with a value: whether that is stored, or the flight was lost before. */
  readonly onEnd?: ((how: 'stored' | 'lost' | 'failed') => void) | undefined
  /** Called where the flight is lost while its loader runs. */
  readonly onLost?: ((how: Loss) => void) | undefined
  /** Called where this caller waits for what another computes. */
  readonly onWait?: (() => void) | undefined
}

/** What was done with what was stored. */
export type FoundUse =
  /** It was answered at once; its times say whether it was stale. */
  | 'hit'
  /** It was too old: the origin is asked. */
  | 'stale'
  /** It was too old, and is answered all the same: the origin failed, or was too slow. */
  | 'fallback'
