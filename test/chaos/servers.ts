import type { Random } from '../core/schedule/random.ts'
import { ALL, type Fault } from './history.ts'
import type { Look } from './observer.ts'
import type { Target } from './worker.ts'

export const KINDS = ['standalone', 'sentinel', 'cluster'] as const

/** The Redis of a run, single, behind sentinels or a cluster, and what can befall it. */
export interface Servers extends AsyncDisposable {
  readonly kind: (typeof KINDS)[number]
  /** How the process reaches it, by its place among the processes. */
  targetOf(place: number): Target
  /** Bytes in all masters; past everything that is in the way of the processes. */
  readonly look: Look
  /** Each does its harm, undoes it, and says whom it befell. By kind. */
  readonly disasters: Readonly<Record<string, Disaster>>
}

export type Disaster = (random: Random) => Promise<Befallen>

/** `target`: the place of a process, or all. */
export type Befallen = Pick<Fault, 'keys'> & { readonly target: number | typeof ALL }

export interface ServersOptions {
  readonly namespace: string
  readonly processes: number
  readonly ids: readonly string[]
  /** ms, as in the profile: by place. */
  readonly latencies: readonly number[]
}

export const EVERYBODY: Befallen = { target: ALL }

/** Entries and flights go, as under memory pressure; never what belongs to tags: of that Redis must forget nothing. */
export function evicting(
  ids: readonly string[],
  names: { entry(id: string): string; flight(id: string): string },
  unlink: (key: string) => Promise<unknown>,
): Disaster {
  return async (random: Random) => {
    const some = ids.filter(() => random.chance(0.3))
    const kinds = random.pick([[names.entry], [names.flight], [names.entry, names.flight]])
    // What moves or is away at the moment stays.
    await Promise.allSettled(some.flatMap((id) => kinds.map((name) => unlink(name(id)))))
    return { target: ALL, keys: some }
  }
}
