import type { Cache } from '../../../src/index.ts'
import type { Barrier } from './barrier.ts'
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
  readonly detached: Detached[]
  /** Barriers of others whose notice came. */
  readonly heard: Barrier[]
}

export interface Detached {
  /** `'all'`: the flights of all keys were sealed. */
  readonly key: string | 'all'
  readonly at: number
}

export type Cause =
  | { readonly type: 'barrier'; readonly barrier: Barrier }
  /** A plain read, which shares nothing with others. */
  | { readonly type: 'get' }
  | { readonly type: 'calls' }

export function createHost(name: string): Host {
  return { name, paused: false, crashed: false, closed: false, cause: undefined, detached: [], heard: [] } as Omit<
    Host,
    'cache'
  > as Host
}

/** Runs code of its own. */
export function isAwake(host: Host): boolean {
  return !host.paused && !host.crashed
}

/** How often the flight of the key was cut off from new callers since that step. */
export function detachedSince(host: Host, key: string, since: number): number {
  return host.detached.filter((detached) => (detached.key === key || detached.key === 'all') && detached.at >= since)
    .length
}
