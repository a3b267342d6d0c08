/** The places of the groups in this instance alone: all there is where the store does not answer. */
export interface LocalPlaces {
  /** The ticket is to have a place. */
  ask(group: string, ticket: string): void
  /** Gives it one, if there is one of so many here; with the store's, before those who wait here only. */
  take(group: string, ticket: string, places: number, isStores: boolean): boolean
  /** Waits, in order, until it has one (`true`), or for so many ms. @throws the signal's reason */
  wait(group: string, ticket: string, places: number, limit: number, signal: AbortSignal): Promise<boolean>
  leave(group: string, ticket: string): void
  /** By group: how many have a place, and how many are to have one. */
  counts(): Record<string, { readonly running: number; readonly waiting: number }>
}

interface Group {
  readonly asking: Set<string>
  readonly running: Set<string>
  /** In order. */
  readonly waiting: Set<Waiting>
}

interface Waiting {
  readonly ticket: string
  readonly places: number
  /** Has a place from now on. */
  go(): void
}

export function createLocalPlaces(): LocalPlaces {
  const groups = new Map<string, Group>()

  function groupOf(name: string): Group {
    const group = groups.get(name) ?? { asking: new Set(), running: new Set(), waiting: new Set() }
    groups.set(name, group)
    return group
  }

  function hasRoom({ running }: Group, ticket: string, places: number): boolean {
    return running.size < places || running.has(ticket)
  }

  function take({ asking, running }: Group, ticket: string): void {
    asking.delete(ticket)
    running.add(ticket)
  }

  /** Lets in whoever can be, in order. */
  function admit(group: Group): void {
    for (const one of group.waiting) {
      if (!hasRoom(group, one.ticket, one.places)) return
      one.go()
    }
  }

  return {
    ask(name, ticket) {
      const { asking, running } = groupOf(name)
      if (!running.has(ticket)) asking.add(ticket)
    },

    take(name, ticket, places, isStores) {
      const group = groupOf(name)
      if (!hasRoom(group, ticket, places) || (!isStores && group.waiting.size > 0)) return false
      take(group, ticket)
      return true
    },

    wait: (name, ticket, places, limit, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        const group = groupOf(name)
        const end = () => {
          clearTimeout(timer)
          signal.removeEventListener('abort', aborted)
          group.waiting.delete(own)
        }
        const aborted = () => {
          end()
          admit(group)
          reject(signal.reason)
        }
        const own: Waiting = {
          ticket,
          places,
          go() {
            end()
            take(group, ticket)
            resolve(true)
          },
        }
        const late = () => {
          end()
          admit(group)
          resolve(false)
        }
        const timer = limit === Number.POSITIVE_INFINITY ? undefined : setTimeout(late, limit)
        signal.addEventListener('abort', aborted, { once: true })
        group.waiting.add(own)
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
