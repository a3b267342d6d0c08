import { detachedSince, type Host } from './host.ts'

/** Counts the reads and claims that are under way: commands grow with instances, not with callers. */
export interface Asking {
  /** A read or claim is sent; the result is to be called with its end. */
  asks(host: Host, id: string, op: 'read' | 'claim'): () => void
  /** The host waits no longer for the reply to such a one. */
  gaveUp(host: Host, id: string, op: string): void
}

interface Ask {
  readonly host: Host
  readonly id: string
  readonly op: string
  readonly at: number
  /** One of the two was given up: this one, or the other. */
  twin?: Ask | undefined
}

export interface AskingOptions {
  readonly step: () => number
  /** So many flights of a key an instance may have at once. */
  readonly flights: number
  /** The step in which the longest waiting caller of the host and key asked. */
  readonly oldest: (host: Host, key: string) => number
  accuse(violation: string): void
}

export function createAsking({ step, flights, oldest, accuse }: AskingOptions): Asking {
  const asking = new Set<Ask>()

  return {
    asks(host, id, op) {
      if (host.cause?.type === 'get') return () => undefined
      const ask: Ask = { host, id, op, at: step() }
      asking.add(ask)
      const open = [...asking].filter((other) => other.host === host && other.id === id)
      // A flight that was detached goes on for the callers it has.
      const since = Math.min(oldest(host, id), ...open.map((other) => other.at))
      // A flight, one of forced refreshes, and one behind answers may ask at once; the more so where new callers may not join
      // those.
      const most = flights * (1 + detachedSince(host, id, since))
      if (open.length > most)
        accuse(`I8: ${host.name} asks for ${id} ${open.length} times at once, at most ${most} may`)
      return () => {
        if (!asking.delete(ask) && ask.twin !== undefined) asking.delete(ask.twin)
      }
    },

    gaveUp(host, id, op) {
      const [first, second] = [...asking].filter((ask) => ask.host === host && ask.id === id && ask.op === op)
      if (first === undefined) return
      first.twin = second
      asking.delete(first)
    },
  }
}
