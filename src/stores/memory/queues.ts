import type { Standing } from '../../core/store.ts'

/** The queues of the groups of a memory store. A place is, as there, a group with its namespace in front. */
export interface Queues {
  /** `admitted` is called for each ticket that comes to a place by those that were dropped. */
  enter(place: string, ticket: Ticket, places: number, lease: number, admitted: (ticket: Ticket) => void): Standing
  leave(place: string, token: string, places: number, admitted: (ticket: Ticket) => void): void
}

/** Who stands in a queue. */
export interface Ticket {
  readonly token: string
  readonly instanceId: string
}

interface Standee extends Ticket {
  /** By `performance.now()`. */
  leaseEndsAt: number
}

export function createQueues(): Queues {
  /** By group, in order. */
  const queues = new Map<string, Standee[]>()

  /** Keeps those of the queue that are to be kept, and calls whoever comes to a place by that. */
  function keep(
    place: string,
    queue: readonly Standee[],
    kept: (one: Standee) => boolean,
    places: number,
    admitted: (ticket: Ticket) => void,
  ): Standee[] {
    const left = queue.filter(kept)
    const gone = queue.slice(0, places).filter((one) => !kept(one)).length
    if (left.length === 0) queues.delete(place)
    else queues.set(place, left)
    for (const one of left.slice(Math.max(0, places - gone), places)) admitted(one)
    return left
  }

  return {
    enter(place, { token, instanceId }, places, lease, admitted) {
      const now = performance.now()
      const queue = queues.get(place) ?? []
      let own = queue.find((one) => one.token === token)
      if (own === undefined) {
        own = { token, instanceId, leaseEndsAt: now + lease }
        queue.push(own)
      }
      own.leaseEndsAt = now + lease
      const left = keep(place, queue, (one) => one.leaseEndsAt > now, places, admitted)
      const leaseLeft = Math.min(...left.map((one) => one.leaseEndsAt)) - now
      return { ahead: left.indexOf(own), leaseLeft }
    },

    leave(place, token, places, admitted) {
      const now = performance.now()
      const stays = (one: Standee) => one.token !== token && one.leaseEndsAt > now
      keep(place, queues.get(place) ?? [], stays, places, admitted)
    },
  }
}
