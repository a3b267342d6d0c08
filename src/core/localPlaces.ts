/** The places of the groups in this instance alone: all there is where the store does not answer. */
export interface LocalPlaces {
  /** The ticket is to have a place. */
  ask(group: string, ticket: string): void
  /** It has one, of the store's giving: it counts. */
  take(group: string, ticket: string): void
  /** Waits until there are fewer than so many here, in order. @throws the signal's reason */
  wait(group: string, ticket: string, leaders: number, signal: AbortSignal): Promise<void>
  leave(group: string, ticket: string): void
  /** By group: how many have a place, and how many are to have one. */
  counts(): Record<string, { readonly running: number; readonly waiting: number }>
}

interface Group {
  readonly asking: Set<string>
  readonly running: Set<string>
  /** Those that only wait here. */
  waiting: Waiting[]
}

interface Waiting {
  readonly ticket: string
  readonly leaders: number
  /** Has a place from now on. */
  go(): void
}

export function createLocalPlaces(): LocalPlaces {
  const groups = new Map<string, Group>()

  function groupOf(name: string): Group {
    const group = groups.get(name) ?? { asking: new Set(), running: new Set(), waiting: [] }
    groups.set(name, group)
    return group
  }

  function take(name: string, ticket: string): void {
    const { asking, running } = groupOf(name)
    asking.delete(ticket)
    running.add(ticket)
  }

  /** Lets in whoever can be, in order. */
  function admit({ running, waiting }: Group): void {
    while (waiting.length > 0) {
      const [next] = waiting as [Waiting]
      if (running.size >= next.leaders && !running.has(next.ticket)) return
      waiting.shift()
      next.go()
    }
  }

  return {
    ask(name, ticket) {
      const { asking, running } = groupOf(name)
      if (!running.has(ticket)) asking.add(ticket)
    },

    take,

    wait: (name, ticket, leaders, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        const group = groupOf(name)
        const aborted = () => {
          group.waiting = group.waiting.filter((one) => one !== own)
          admit(group)
          reject(signal.reason)
        }
        const own: Waiting = {
          ticket,
          leaders,
          go() {
            signal.removeEventListener('abort', aborted)
            take(name, ticket)
            resolve()
          },
        }
        signal.addEventListener('abort', aborted, { once: true })
        group.waiting.push(own)
        admit(group)
      }),

    leave(name, ticket) {
      const group = groupOf(name)
      group.asking.delete(ticket)
      group.running.delete(ticket)
      admit(group)
      if (group.asking.size + group.running.size === 0) groups.delete(name)
    },

    counts: () =>
      Object.fromEntries(
        [...groups].map(([name, { asking, running }]) => [name, { running: running.size, waiting: asking.size }]),
      ),
  }
}
