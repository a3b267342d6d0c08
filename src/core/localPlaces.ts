/** The places of the groups in this instance alone: all there is where the store does not answer. */
export interface LocalPlaces {
  /** The ticket has a place, of the store's giving: it counts. */
  take(group: string, ticket: string): void
  /** Waits until there are fewer than so many here, in order. @throws the signal's reason */
  wait(group: string, ticket: string, leaders: number, signal: AbortSignal): Promise<void>
  leave(group: string, ticket: string): void
}

interface Waiting {
  readonly ticket: string
  readonly leaders: number
  /** Has a place from now on. */
  go(): void
}

export function createLocalPlaces(): LocalPlaces {
  const groups = new Map<string, { readonly running: Set<string>; waiting: Waiting[] }>()

  function groupOf(name: string) {
    const group = groups.get(name) ?? { running: new Set<string>(), waiting: [] }
    groups.set(name, group)
    return group
  }

  /** Lets in whoever can be, in order. */
  function admit(name: string): void {
    const { running, waiting } = groupOf(name)
    while (waiting.length > 0) {
      const [next] = waiting as [Waiting]
      if (running.size >= next.leaders && !running.has(next.ticket)) return
      waiting.shift()
      next.go()
    }
    if (running.size === 0) groups.delete(name)
  }

  return {
    take: (name, ticket) => void groupOf(name).running.add(ticket),

    wait: (name, ticket, leaders, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        const group = groupOf(name)
        const aborted = () => {
          group.waiting = group.waiting.filter((one) => one !== own)
          admit(name)
          reject(signal.reason)
        }
        const own: Waiting = {
          ticket,
          leaders,
          go() {
            signal.removeEventListener('abort', aborted)
            group.running.add(ticket)
            resolve()
          },
        }
        signal.addEventListener('abort', aborted, { once: true })
        group.waiting.push(own)
        admit(name)
      }),

    leave(name, ticket) {
      groups.get(name)?.running.delete(ticket)
      if (groups.has(name)) admit(name)
    },
  }
}
