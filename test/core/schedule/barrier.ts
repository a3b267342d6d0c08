import type { Host } from './host.ts'
import type { Value } from './origin.ts'

/** What a barrier holds back: values that were made of an older version of the item. */
export interface Part {
  /** A key, or a tag. */
  readonly item: string
  /** The origin's version of it, as of the call. */
  readonly version: number
  /** The step in which the store did it: removed or took the key, moved the clock on for the tag, listed the namespace. */
  executedAt: number | undefined
  /** The step in which the caller learnt that it is done. */
  returnedAt: number | undefined
}

/** An invalidation or a direct set: what was computed before it must not be seen after it. */
export interface Barrier {
  readonly name: string
  readonly kind: 'invalidate' | 'set' | 'clear'
  readonly host: Host
  readonly calledAt: number
  readonly parts: readonly Part[]
  /** What is set. */
  value: Value | undefined
  /** The step in which the store took the value. */
  storedAt: number | undefined
  /** Of a set: another change was later, and the value may not be in the store from now on. */
  lost: boolean
  /** The caller learnt what became of it. */
  over: boolean
}

/** All that were called, and what the store did for them. */
export interface Barriers {
  readonly all: readonly Barrier[]
  open(host: Host, kind: Barrier['kind'], versions: readonly (readonly [item: string, version: number])[]): Barrier
  /** The direct set that the value is of; `undefined` for one that a loader made. */
  of(value: Value): Barrier | undefined
  /** Whether the value is of before: computed from an older version, or directly set before it. */
  isBefore(value: Value, part: Part): boolean
  /** This one is about to take the flight, or has. */
  takes(barrier: Barrier | undefined, token: string): void
  taken(token: string): void
  /** The clock of tags was moved on, for this one. */
  stepped(barrier: Barrier | undefined): void
  /** The namespace was listed, for this one, from the beginning. */
  listed(barrier: Barrier | undefined): void
  /** Those that may have the host ask for the removal of ids: this one, or else whatever is under way there. */
  removing(host: Host, barrier: Barrier | undefined): readonly Barrier[]
  /** Whether one of them asked for the removal of this id, which is done. */
  removed(id: string, askers: readonly Barrier[]): boolean
  /** The one that the host is about to tell all others of; `undefined` where it can't be told from another. */
  announced(host: Host, items: readonly string[], all: boolean): Barrier | undefined
}

export function createBarriers(step: () => number, isTag: (item: string) => boolean): Barriers {
  const barriers = new Map<string, Barrier>()
  const takers = new Map<string, Barrier>()

  const open = (host: Host) => [...barriers.values()].filter((barrier) => barrier.host === host && !barrier.over)
  const itemsOf = ({ parts }: Barrier) => parts.map(({ item }) => item)

  function execute(barrier: Barrier | undefined, covers: (item: string, at: number | undefined) => boolean): void {
    for (const part of barrier?.parts ?? []) if (covers(part.item, part.executedAt)) part.executedAt = step()
  }

  return {
    get all() {
      return [...barriers.values()]
    },

    open(host, kind, versions) {
      const name = `${kind} ${barriers.size + 1}`
      const parts = versions.map(([item, version]) => {
        return { item, version, executedAt: undefined, returnedAt: undefined }
      })
      const state = { value: undefined, storedAt: undefined, lost: false, over: false }
      const barrier: Barrier = { name, kind, host, calledAt: step(), parts, ...state }
      barriers.set(name, barrier)
      return barrier
    },

    of: (value) => barriers.get(value.by),

    isBefore(value, part) {
      const version = value.parts[part.item]
      if (version === undefined || version >= part.version) return false
      const set = barriers.get(value.by)
      if (set === undefined) return true
      // Two direct changes that were under way at once: the store's order counts.
      const setAt = set.parts[0]?.executedAt ?? Number.POSITIVE_INFINITY
      return setAt < (part.executedAt ?? Number.POSITIVE_INFINITY)
    },

    takes(barrier, token) {
      if (barrier !== undefined) takers.set(token, barrier)
    },

    taken: (token) => execute(takers.get(token), () => true),

    // Of two copies the earlier one counts: the caller may go on with the reply to that.
    stepped: (barrier) => execute(barrier, (item, at) => isTag(item) && at === undefined),

    listed: (barrier) => execute(barrier, (_item, at) => at === undefined),

    removing: (host, barrier) => (barrier === undefined ? open(host) : [barrier]),

    removed(id, askers) {
      const named = askers.filter((barrier) => itemsOf(barrier).includes(id))
      // Of what was stored before it is known when.
      for (const barrier of named) if (barrier.storedAt === undefined) execute(barrier, (item) => item === id)
      return named.length > 0 || askers.some((barrier) => itemsOf(barrier).some(isTag))
    },

    announced(host, items, all) {
      const alike = open(host).filter((barrier) => {
        return all ? barrier.kind === 'clear' : barrier.kind !== 'clear' && `${itemsOf(barrier)}` === `${items}`
      })
      return alike.length === 1 ? alike[0] : undefined
    },
  }
}
