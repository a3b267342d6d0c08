import type { Cache } from '../../../src/index.ts'
import type { Owner } from './clock.ts'

/** One instance of the service. */
export interface Host extends Owner {
  /** `A`, `B`, … */
  readonly name: string
  cache: Cache
  paused: boolean
  crashed: boolean
  closed: boolean
  /** What is being asked of the cache in this step: the requests that it sends at once are part of it. */
  cause: Cause | undefined
  /** When new callers had to open a new flight: after invalidations, and where a flight was lost or given up. */
  readonly detached: { readonly key: string; readonly at: number }[]
}

export type Cause =
  | { readonly type: 'barrier'; readonly barrier: Barrier }
  /** A plain read, which shares nothing with others. */
  | { readonly type: 'get' }
  | { readonly type: 'calls' }

/** An invalidation or a direct set: what was computed before it must not be seen after it. */
export interface Barrier {
  readonly name: string
  readonly key: string
  readonly host: Host
  /** The origin's version as of the call. */
  readonly version: number
  /** The step in which the store did it. */
  executedAt: number | undefined
  /** The step in which the caller learnt that it is done. */
  returnedAt: number | undefined
}

export function createHost(name: string): Host {
  return { name, paused: false, crashed: false, closed: false, cause: undefined, detached: [] } as Omit<
    Host,
    'cache'
  > as Host
}

/** Runs code of its own. */
export function isAwake(host: Host): boolean {
  return !host.paused && !host.crashed
}
