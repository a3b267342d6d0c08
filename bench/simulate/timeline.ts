/** What is to happen, in the order of time; of one instant, in the order in which it was said. */
export interface Timeline {
  /** ms since the beginning. */
  readonly now: number
  /** @param time not before `now` */
  at(time: number, happens: () => void): void
  /** Until nothing is to happen any more. */
  run(): void
}

interface Happening {
  readonly time: number
  readonly order: number
  readonly happens: () => void
}

/** A binary heap: each happening stands before both of those below it. */
export function createTimeline(): Timeline {
  const heap: Happening[] = []
  let now = 0
  let order = 0

  function add(one: Happening): void {
    let at = heap.length
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!isBefore(one, heap[above] as Happening)) break
      heap[at] = heap[above] as Happening
      at = above
    }
    heap[at] = one
  }

  function take(): Happening | undefined {
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && isBefore(heap[below + 1] as Happening, heap[below] as Happening)) below++
      if (!isBefore(heap[below] as Happening, last)) break
      heap[at] = heap[below] as Happening
      at = below
    }
    heap[at] = last
    return first
  }

  return {
    get now() {
      return now
    },
    at(time, happens) {
      if (!(time >= now)) throw new RangeError(`${time} is not a time from now (${now}) on`)
      add({ time, order: order++, happens })
    },
    run() {
      for (let next = take(); next !== undefined; next = take()) {
        now = next.time
        next.happens()
      }
    },
  }
}

function isBefore(one: Happening, other: Happening): boolean {
  return one.time < other.time || (one.time === other.time && one.order < other.order)
}
