import { LRUCache } from 'lru-cache'
import { createFlights, type Flight } from './flight.ts'
import type { Instance } from './instance.ts'
import type { Loss } from './leader.ts'
import { hides, loading } from './loading.ts'
import type { Look } from './lookup.ts'
import type { Loader, Order } from './order.ts'
import { travel } from './trip.ts'

/** Refreshes that go on behind answers: one per key and instance, and over all instances one that runs the loader. */
export interface Refreshes {
  /**
   * Begins one, unless one is under way. Over what the look has seen: where something else is there by now, it is done. An
   * instance whose refresh is another's flight is registered with that, and asks nothing until it has ended. Never rejects.
   */
  begin(order: Order, load: Loader<unknown>, look: Look): Promise<Refreshed>
  /** Whether one is under way. */
  has(id: string): boolean
  /** The flight of one that is under way, which callers may join. */
  get(id: string): Flight | undefined
  /** Why none is to be begun now: the last one failed, and its time has not come again. */
  rest(id: string): Failure | undefined
  /** How a loader ended that was to replace what is stale. */
  ended(id: string, how: Failure | 'stored'): void
  /** Who has no loader says that there should be one; told to the next who asks, once. */
  want(id: string): void
  wanted(id: string): boolean
  /** The key was invalidated: what is under way is of before, and so is what has failed. */
  detach(id: string): void
  /** As to tags: nobody may join what is under way, which goes on; there is no second one beside it. */
  seal(): void
  readonly size: number
}

/** What came of a refresh: something new is stored; it was lost to an invalidation or a write; or why it failed. */
export type Refreshed =
  | { readonly type: 'stored' | 'lost' }
  | { readonly type: 'failed'; readonly failure: Failure; readonly error: unknown }

/** The origin was down or too busy; or something else has failed, and says nothing about what is stale. */
export type Failure = 'outage' | 'failed'

/** ms after a failure until the next attempt: at first, doubled each time, and at most; a quarter more or less by chance. */
const FIRST_REST = 1000
const LAST_REST = 60_000
/** So many keys are known to have failed; of others the next caller tries. */
const MAX_RESTS = 10_000

/** So many keys are known to want a refresh. */
const MAX_WANTS = 10_000

interface Rest {
  /** By `performance.now()`. */
  readonly until: number
  readonly failures: number
  readonly how: Failure
}

export function createRefreshes(instance: Instance): Refreshes {
  const flights = createFlights()
  const underWay = new Map<string, Promise<Refreshed>>()
  const rests = new LRUCache<string, Rest>({ max: MAX_RESTS })
  const wants = new Set<string>()

  function ended(id: string, how: Failure | 'stored'): void {
    const last = rests.get(id)
    if (how === 'stored') {
      if (last !== undefined) rests.delete(id)
      return
    }
    const now = performance.now()
    if (last !== undefined && last.until > now) return // of one attempt, or of attempts at once
    // Long ago it says nothing about now.
    const failures = last === undefined || now > last.until + LAST_REST ? 0 : last.failures
    const delay = Math.min(FIRST_REST * 2 ** failures, LAST_REST) * (0.75 + Math.random() / 2)
    rests.set(id, { until: now + delay, failures: failures + 1, how })
  }

  async function refresh(order: Order, load: Loader<unknown>, look: Look): Promise<Refreshed> {
    const { id } = order
    let tell!: (how: 'stored' | 'lost' | 'failed') => void
    const told = new Promise<'stored' | 'lost' | 'failed'>((resolve) => {
      tell = resolve
    })
    let ran = false
    let loss: Loss | undefined
    const own: Loader<unknown> = (context) => {
      ran = true
      return load(context)
    }
    const onLost = (how: Loss) => {
      loss = how
    }
    const behind: Order = { ...order, onWait: undefined, onEnd: tell, onLost }
    const lead = loading(instance, behind, own)
    const flight = instance.bulkhead.apart(() =>
      flights.open(id, (opened) => travel(instance, opened, behind, lead, look), { background: true }),
    )
    try {
      // Aborted only where it is lost, and nobody has joined it: who runs the loader may not hear of that.
      const { type } = await flight.wait({ ...PATIENT, signal: flight.signal })
      // It never began, such as where it waited for a place.
      if (type === 'again' && loss !== undefined) return { type: 'lost' }
      // What another instance has computed is there.
      const how = type !== 'value' ? 'failed' : ran ? await told : 'stored'
      return how === 'failed' ? failedBy(new Error(NOTHING_STORED)) : { type: how }
    } catch (error) {
      if (loss === 'overdue') return failedBy(new Error('its loader takes longer than maxFlightTime'))
      return loss !== undefined
        ? { type: 'lost' }
        : failedBy(error, hides(instance, order, error) ? 'outage' : 'failed')
    }
  }

  return {
    begin(order, load, look) {
      const { id } = order
      const open = underWay.get(id)
      if (open !== undefined) return open
      wants.delete(id)
      instance.events.emit({ type: 'refresh', key: id })
      const refreshed = refresh(order, load, look).then((how) => {
        // Detached, it says nothing about what is there now.
        if (underWay.get(id) !== refreshed) return how
        underWay.delete(id)
        if (how.type === 'failed') ended(id, how.failure)
        if (how.type === 'stored') ended(id, 'stored')
        return how
      })
      underWay.set(id, refreshed)
      return refreshed
    },

    has: (id) => underWay.has(id),
    get: flights.get,

    rest(id) {
      const rest = rests.get(id)
      return rest !== undefined && rest.until > performance.now() ? rest.how : undefined
    },

    ended,

    want(id) {
      if (wants.size >= MAX_WANTS) wants.clear() // of those forgotten the next one who looks wants it again
      wants.add(id)
    },

    wanted: (id) => wants.size > 0 && wants.has(id),

    detach(id) {
      flights.detach(id)
      underWay.delete(id)
      rests.delete(id)
      wants.delete(id)
    },

    seal: flights.seal,

    get size() {
      return underWay.size
    },
  }
}

function failedBy(error: unknown, failure: Failure = 'failed'): Refreshed {
  return { type: 'failed', failure, error }
}

const NOTHING_STORED = 'nothing new could be stored: its value may not be, or the store said no'

/** Waits as long as it takes. */
const PATIENT = { limit: Number.POSITIVE_INFINITY, opener: true }
