import { LRUCache } from 'lru-cache'
import { notAsync } from './checks.ts'
import { createFlights, type Flight } from './flight.ts'
import type { Instance } from './instance.ts'
import type { Look } from './lookup.ts'
import { type Loader, loading, type Order, travel } from './trip.ts'

/** Refreshes that go on behind answers: one per key and instance, and over all instances one that runs the loader. */
export interface Refreshes {
  /**
   * Begins one, unless one is under way. Over what the look has seen: where something else is there by now, it is done. An
   * instance whose refresh is another's flight is registered with that, and asks nothing until it has ended.
   *
   * @returns whether something new is stored; never rejects
   */
  begin(order: Order, load: Loader<unknown>, look: Look): Promise<boolean>
  /** Why none is to be begun now: the last one failed, and its time has not come again. */
  rest(id: string): Failure | undefined
  /** How a loader ended that was to replace what is stale. */
  ended(id: string, how: Failure | 'stored'): void
  /** Who has no loader says that there should be one; told to the next who asks, once. */
  want(id: string): void
  wanted(id: string): boolean
  get(id: string): Flight | undefined
  detach(id: string): void
  seal(): void
  readonly size: number
}

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
  const outcomes = new Map<string, Promise<boolean>>()
  const rests = new LRUCache<string, Rest>({ max: MAX_RESTS })
  const wants = new Set<string>()

  function ended(id: string, how: Failure | 'stored'): void {
    const last = rests.get(id)
    if (how === 'stored') {
      if (last !== undefined) rests.delete(id)
      return
    }
    const now = performance.now()
    // Long ago it says nothing about now.
    const failures = last === undefined || now > last.until + LAST_REST ? 0 : last.failures
    const delay = Math.min(FIRST_REST * 2 ** failures, LAST_REST) * (0.75 + Math.random() / 2)
    rests.set(id, { until: now + delay, failures: failures + 1, how })
  }

  /** Whether something new is stored. */
  async function refresh(order: Order, load: Loader<unknown>, look: Look): Promise<Failure | 'stored'> {
    const { id } = order
    let tell!: (stored: boolean) => void
    const told = new Promise<boolean>((resolve) => {
      tell = resolve
    })
    let ran = false
    const own: Loader<unknown> = (context) => {
      ran = true
      return load(context)
    }
    const behind: Order = { ...order, onWait: undefined, onEnd: tell }
    const lead = loading(instance, behind, own)
    // Its own caller never leaves: nobody else need wait for it.
    const flight = flights.open(id, (opened) => travel(instance, opened, behind, lead, look))
    try {
      const { type } = await flight.wait(PATIENT)
      if (type !== 'value') return 'failed'
      // What another instance has computed is there.
      return !ran || (await told) ? 'stored' : 'failed'
    } catch (error) {
      return hides(instance, order, error) ? 'outage' : 'failed' // told by the flight
    }
  }

  return {
    begin(order, load, look) {
      const { id } = order
      const open = outcomes.get(id)
      if (open !== undefined && flights.get(id) !== undefined) return open
      wants.delete(id)
      instance.events.emit({ type: 'refresh', key: id })
      const outcome = refresh(order, load, look).then((how) => {
        if (outcomes.get(id) === outcome) outcomes.delete(id)
        ended(id, how)
        return how === 'stored'
      })
      outcomes.set(id, outcome)
      return outcome
    },

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
    get: flights.get,

    detach(id) {
      flights.detach(id)
      wants.delete(id)
    },

    seal() {
      flights.seal()
      wants.clear()
    },

    get size() {
      return flights.size
    },
  }
}

/** Whether a stale value is answered in the place of the error. */
export function hides({ events }: Instance, { id, policy }: Order, error: unknown): boolean {
  try {
    return Boolean(notAsync('isOutage', policy.isOutage(error)))
  } catch (thrown) {
    events.emit({ type: 'policyError', key: id, option: 'isOutage', error: thrown })
    return false
  }
}

/** Waits as long as it takes. */
const PATIENT = {
  signal: undefined,
  limit: Number.POSITIVE_INFINITY,
  onLimit: () => Promise.resolve({ type: 'again' as const }),
  opener: true,
}
