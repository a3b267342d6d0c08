import { LRUCache } from 'lru-cache'
import { known } from '../../core/checks.ts'
import type { Bytes } from '../../core/codec.ts'
import { hasStamp, markOf } from '../../core/entry.ts'
import { StoreError } from '../../core/errors.ts'
import type {
  ClaimReply,
  Ended,
  Ending,
  Link,
  Notice,
  Outcome,
  Page,
  Seen,
  Session,
  Standing,
  Store,
  StoreEvent,
} from '../../core/store.ts'
import { createQueues, type Ticket } from './queues.ts'
import { createTags } from './tags.ts'

export interface MemoryStoreOptions {
  /** The least recently used entries go first. Default: 10,000. */
  maxEntries?: number | undefined
  /** Of all entries and their ids. Default: 64 MiB. */
  maxBytes?: number | undefined
}

const OPTIONS: ReadonlySet<string> = new Set(['maxEntries', 'maxBytes'])

interface Flight {
  readonly leader: string
  /** By `performance.now()`. */
  leaseEndsAt: number
  readonly waiters: Set<string>
  /** Its leader waits for a place in its group. */
  queued: boolean
}

/**
 * A store in this process: the embedded default, and the contract in its most readable form. Several caches that are
 * given the same store share entries and flights as caches on several machines share a Redis.
 *
 * @throws RangeError for bounds below 1
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  known('memoryStore', options, OPTIONS)
  const { maxEntries = 10_000, maxBytes = 64 * 1024 * 1024 } = options
  for (const [name, given] of Object.entries({ maxEntries, maxBytes })) {
    if (!(Number.isInteger(given) && given >= 1))
      throw new RangeError(`${name} must be an integer of at least 1, got ${given}`)
  }
  const entries = new LRUCache<string, Bytes>({
    max: maxEntries,
    maxSize: maxBytes,
    sizeCalculation: sizeOf,
    // Read anew each time, so that the clock of tests counts; and no timer of lru-cache's own.
    perf: { now: () => performance.now() },
    ttlResolution: 0,
    disposeAfter: (_entry, place, reason) => reason !== 'set' && settle(place),
  })
  const flights = new Map<string, Flight>()
  const tags = createTags()
  const queues = createQueues()
  /** By namespace, then by instance. */
  const links = new Map<string, Map<string, Link>>()

  /** Indexes hold places of entries and flights: an entry may go by itself, and a flight may leave none. */
  function settle(place: string): void {
    if (!flights.has(place) && !entries.has(place)) tags.forget(place)
  }

  function end(place: string): void {
    if (flights.delete(place)) settle(place)
  }

  /** Flights whose leader died and whom nobody asks for again would stay for ever. */
  function prune(): void {
    const now = performance.now()
    let looked = 0
    for (const [place, flight] of flights) {
      if (looked++ === PRUNED_AT_ONCE) return
      flights.delete(place)
      if (flight.leaseEndsAt > now) flights.set(place, flight)
      else settle(place)
    }
  }

  function open(link: Link): Session {
    const { namespace, instanceId } = link
    const peers = links.get(namespace) ?? new Map<string, Link>()
    links.set(namespace, peers.set(instanceId, link))
    let closed = false

    /** Of one namespace only: namespaces have no white space. Of an id or a tag. */
    const placeOf = (id: string) => `${namespace} ${id}`
    const idOf = (place: string) => place.slice(namespace.length + 1)

    /** From another turn, as from a network: never inside the call that caused it. */
    function tell(receiver: string, event: StoreEvent): void {
      queueMicrotask(() => peers.get(receiver)?.tell(event))
    }

    function flightAt(place: string): Flight | undefined {
      const flight = flights.get(place)
      if (flight !== undefined && flight.leaseEndsAt > performance.now()) return flight
      end(place)
      return undefined
    }

    /** Deletes the flight and tells those who wait for it. */
    function finish(id: string, flight: Flight | undefined, outcome: Outcome): void {
      if (flight === undefined) return
      end(placeOf(id))
      const message = { id, token: flight.leader, outcome }
      for (const waiter of flight.waiters) tell(waiter, { type: 'message', message })
    }

    /** Whether it was stored: what is larger than the whole store is not, and the entry before it stays. */
    function store(place: string, entry: Bytes, ttl: number): boolean {
      if (sizeOf(entry, place) > maxBytes) return false
      entries.set(place, entry, { ttl: ttl === Number.POSITIVE_INFINITY ? 0 : Math.max(1, Math.ceil(ttl)) })
      return true
    }

    const admitted = (group: string) => (ticket: Ticket) => {
      const message = { id: group, token: ticket.token, outcome: { type: 'again' } } as const
      tell(ticket.instanceId, { type: 'message', message })
    }

    const steps = {
      read: (id: string): Bytes | undefined => entries.get(placeOf(id)),

      readMany: (ids: readonly string[]) => ids.map(steps.read),

      claim(id: string, { token, seen, lease }: { token: string; seen: Seen; lease: number }): ClaimReply {
        const place = placeOf(id)
        const entry = entries.peek(place)
        const present = entry === undefined ? 'none' : markOf(entry)
        if (present !== 'none' && seen !== 'any' && !sameMark(present, seen)) return { type: 'hit' }
        const flight = flightAt(place)
        if (flight !== undefined && flight.leader !== token) {
          flight.waiters.add(instanceId)
          const leaseLeft = flight.leaseEndsAt - performance.now()
          return { type: 'wait', token: flight.leader, leaseLeft, present, queued: flight.queued }
        }
        flights.set(place, {
          leader: token,
          leaseEndsAt: performance.now() + lease,
          waiters: flight?.waiters ?? new Set(),
          queued: false,
        })
        prune()
        return { type: 'lead', present, clock: tags.clock }
      },

      renew(id: string, token: string, lease: number, queued: boolean): number | 'lost' {
        const flight = flightAt(placeOf(id))
        if (flight?.leader !== token) return 'lost'
        flight.leaseEndsAt = performance.now() + lease
        if (queued && !flight.queued) {
          const message = { id, token, outcome: { type: 'queued' } } as const
          for (const waiter of flight.waiters) tell(waiter, { type: 'message', message })
        }
        flight.queued = queued
        return flight.waiters.size
      },

      end(id: string, token: string, ending: Ending): Ended {
        const place = placeOf(id)
        const flight = flightAt(place)
        if (flight?.leader !== token) {
          const entry = entries.peek(place)
          return entry !== undefined && hasStamp(entry, token) ? { type: 'ok', stored: true } : { type: 'fenced' }
        }
        if (ending.type !== 'value') {
          if (ending.type !== 'again' && ending.outdates === true) entries.delete(place)
          finish(id, flight, ending.type === 'share' ? { type: 'value', entry: ending.entry } : ending)
          return { type: 'ok', stored: false }
        }
        const stored = store(place, ending.entry, ending.ttl)
        finish(id, flight, { type: 'value', entry: ending.entry })
        return stored ? { type: 'ok', stored } : { type: 'ok', stored, refused: TOO_LARGE }
      },

      set(id: string, entry: Bytes, ttl: number): void {
        const place = placeOf(id)
        if (!store(place, entry, ttl)) throw new StoreError('REFUSED', TOO_LARGE)
        finish(id, flightAt(place), { type: 'value', entry })
      },

      take(id: string, token: string, lease: number): number {
        const place = placeOf(id)
        const flight = flightAt(place)
        const again = flight?.leader === token
        if (!again) finish(id, flight, { type: 'again' })
        const waiters = again ? flight.waiters : new Set<string>()
        flights.set(place, { leader: token, leaseEndsAt: performance.now() + lease, waiters, queued: false })
        entries.delete(place)
        return tags.clock
      },

      remove(ids: readonly string[]): void {
        for (const id of ids) {
          const place = placeOf(id)
          entries.delete(place)
          finish(id, flightAt(place), { type: 'again' })
        }
      },

      index(id: string, names: readonly string[], life: number): number {
        const place = placeOf(id)
        const epoch = tags.index(place, names.map(placeOf), life)
        settle(place)
        return epoch
      },

      enter(group: string, ticket: string, places: number, lease: number): Standing {
        return queues.enter(placeOf(group), { token: ticket, instanceId }, places, lease, admitted(group))
      },

      leave(group: string, ticket: string, places: number): void {
        queues.leave(placeOf(group), ticket, places, admitted(group))
      },

      members: (tag: string): Page => ({ ids: tags.members(placeOf(tag)).map(idOf) }),

      list() {
        const here = (places: Iterable<string>) =>
          [...places].filter((place) => place.startsWith(placeOf(''))).map(idOf)
        return { ids: [...new Set([...here(entries.keys()), ...here(flights.keys())])], tags: here(tags.names()) }
      },

      announce(notice: Notice): void {
        for (const peer of peers.keys()) tell(peer, { type: 'notice', notice })
      },
    }

    /** Each step runs at once and whole: nothing comes between its reading and its writing. */
    async function atomically<T>(step: () => T): Promise<T> {
      if (closed) throw new StoreError('CLOSED', 'the cache was closed')
      return step()
    }

    tell(instanceId, { type: 'inbox', confirmed: true })
    return {
      ready: () => atomically(() => undefined),
      now: () => Date.now(),
      read: (id) => atomically(() => steps.read(id)),
      readMany: (ids) => atomically(() => steps.readMany(ids)),
      claim: (id, request) => atomically(() => steps.claim(id, request)),
      renew: (id, token, lease, queued = false) => atomically(() => steps.renew(id, token, lease, queued)),
      end: (id, token, ending) => atomically(() => steps.end(id, token, ending)),
      set: (id, entry, ttl) => atomically(() => steps.set(id, entry, ttl)),
      take: (id, token, lease) => atomically(() => steps.take(id, token, lease)),
      remove: (ids) => atomically(() => steps.remove(ids)),
      index: (id, names, life) => atomically(() => steps.index(id, names, life)),
      enter: (group, ticket, places, lease) => atomically(() => steps.enter(group, ticket, places, lease)),
      leave: (group, ticket, places) => atomically(() => steps.leave(group, ticket, places)),
      step: () => atomically(() => tags.step()),
      mark: (tag, clock) => atomically(() => tags.mark(placeOf(tag), clock)),
      members: (tag) => atomically(() => steps.members(tag)),
      // What was removed is in no index any more; what is in it was added since.
      sweep: () => atomically(() => undefined),
      list: () => atomically(() => steps.list()),
      announce: (notice) => atomically(() => steps.announce(notice)),
      async close() {
        closed = true
        peers.delete(instanceId)
        // Closed twice: by the second time others may have a new map of peers.
        if (peers.size === 0 && links.get(namespace) === peers) links.delete(namespace)
      },
    }
  }

  return { name: 'memory', open }
}

const TOO_LARGE = 'larger than the memory store'

function sizeOf(entry: Bytes, place: string): number {
  return entry.byteLength + Buffer.byteLength(place)
}

/** So many flights are looked at with each new one, those first that were not for longest. */
const PRUNED_AT_ONCE = 10

function sameMark(present: Bytes, seen: Seen): boolean {
  return typeof seen !== 'string' && Buffer.compare(present, seen) === 0
}
