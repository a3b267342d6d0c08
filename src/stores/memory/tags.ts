/**
 * The tags of a memory store. A place is where an entry or a flight is; a tag, as here, has its namespace in front.
 *
 * What Redis can only leave to expire is known exactly here: a place without entry and flight is in no index.
 */
export interface Tags {
  /** The clock of tags, as it stands. */
  readonly clock: number
  step(): number
  /** Adds the place to the tags' indexes for `life` ms at least; the greatest epoch of the tags. */
  index(place: string, tags: readonly string[], life: number): number
  /** Takes the place out of all indexes. */
  forget(place: string): void
  mark(tag: string, clock: number): void
  members(tag: string): string[]
  /** All tags with an index. */
  names(): Iterable<string>
}

/** So many tags' epochs are kept, those of the newest invalidations. */
const MAX_EPOCHS = 10_000

export function createTags(): Tags {
  const indexes = new Map<string, Set<string>>()
  /** By place: its tags, and when they may be forgotten, by `performance.now()`. */
  const tagsOf = new Map<string, Map<string, number>>()
  /** The oldest first. */
  const epochs = new Map<string, number>()
  /** The greatest epoch that was dropped: it counts for all tags that have none. */
  let floor = 0
  let clock = 0

  function take(place: string, tag: string): void {
    const index = indexes.get(tag)
    if (index?.delete(place) && index.size === 0) indexes.delete(tag)
  }

  return {
    get clock() {
      return clock
    },
    step: () => ++clock,

    index(place, tags, life) {
      const now = performance.now()
      const until = tagsOf.get(place) ?? new Map<string, number>()
      tagsOf.set(place, until)
      for (const [tag, at] of until) {
        if (at >= now) continue
        until.delete(tag)
        take(place, tag)
      }
      for (const tag of tags) {
        until.set(tag, Math.max(until.get(tag) ?? 0, now + life))
        indexes.set(tag, (indexes.get(tag) ?? new Set()).add(place))
      }
      return Math.max(floor, ...tags.map((tag) => epochs.get(tag) ?? 0))
    },

    forget(place) {
      for (const tag of tagsOf.get(place)?.keys() ?? []) take(place, tag)
      tagsOf.delete(place)
    },

    mark(tag, marked) {
      const epoch = Math.max(marked, epochs.get(tag) ?? 0)
      epochs.delete(tag)
      epochs.set(tag, epoch)
      for (const [oldest, dropped] of epochs) {
        if (epochs.size <= MAX_EPOCHS) break
        epochs.delete(oldest)
        floor = Math.max(floor, dropped)
      }
    },

    members: (tag) => [...(indexes.get(tag) ?? [])],
    names: () => indexes.keys(),
  }
}
