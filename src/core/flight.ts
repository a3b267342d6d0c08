import { onAbort } from './abort.ts'
import { MAX_TIMER } from './checks.ts'
import type { AloneReason } from './events.ts'

/** What a flight came to, for its callers in this instance. */
export type Result =
  /** `once`: it can be consumed only once (a stream): for the caller who ran the loader, and for nobody else. */
  | { readonly type: 'value'; readonly value: unknown; readonly once: boolean }
  /** Nothing came of it, and that says nothing about the next: make another trip. */
  | { readonly type: 'again' }
  /** There is nothing to share, not even here: those who wait run their loader without a flight in the store. */
  | { readonly type: 'alone'; readonly reason: AloneReason }

/** The caller has waited for as long as it wants to: what comes of the flight is not its own any more. */
export interface Overdue {
  readonly type: 'overdue'
}

/** One caller of a flight. */
export interface Caller {
  readonly signal: AbortSignal | undefined
  /** ms this caller waits for what another computes. */
  readonly limit: number
  /** Whether it opened the flight: while that leads, it waits for its own loader, without limit. */
  readonly opener: boolean
  /** What the caller gets after so many ms (or `Infinity`), or where its leader must queue; the flight goes on without it then. */
  readonly soft?: { readonly limit: number; answer(why: Lateness): Result } | undefined
}

/** Why something stale is answered in the place of what is to come. */
export type Lateness = 'softTimeout' | 'queue'

/** One computation for one key in this instance, which all callers of the key share. */
export interface Flight {
  readonly id: string
  /** Aborted when nobody waits any more. */
  readonly signal: AbortSignal
  /** How many wait here. */
  readonly callers: number
  /** Whether of these none waits: they have been answered already, or never asked. */
  readonly idle: boolean
  /** It was opened over a value that some may get in its place: who joins it must have looked by itself. */
  readonly overStale: boolean
  /** Why such a value is answered: it takes too long, or has not begun. */
  readonly late: Lateness | undefined
  /** Counts one more caller in: the flight goes on while one is left. */
  join(): Flight
  /** Waits for the result, at most until the caller's signal or limit, which count it out. Many who wait alike get one promise. */
  wait(caller: Caller): Promise<Result | Overdue>
  /** From the trip: the lease is held here; `abandoned` is called instead of the abort when all callers left. */
  holds(abandoned: () => void): void
  /** From the trip: the loader runs here from now on. */
  leads(): void
  /** From the trip: the leader, here or elsewhere, must wait for a place; who has something stale gets that. */
  queues(): void
  /** From the trip, when nobody waits elsewhere either. */
  abort(): void
  /** New callers open a new one; those it has get its result. */
  detach(): void
}

export interface FlightOptions {
  readonly overStale?: boolean | undefined
  /** Nobody waits for it, and it goes on all the same. */
  readonly background?: boolean | undefined
}

/** The flights of one instance: single-flight as in groupcache, with callers that can leave. */
export interface Flights {
  get(id: string): Flight | undefined
  /** Starts `trip` at once, in the caller's async context. */
  open(id: string, trip: (flight: Flight) => Promise<Result>, how?: FlightOptions): Flight
  /** An invalidation: whoever asks from now on must not get what was begun before. */
  detach(id: string): void
  /** As `detach` for each: what is invalidated by tag may be any of them. */
  seal(): void
  readonly size: number
}

/** Callers who began to wait in the same millisecond, for as long, and for nothing else: they have one timer and one promise. */
interface Company {
  readonly limit: number
  /** By `performance.now()`. */
  readonly since: number
  size: number
  readonly outcome: Promise<Result | Overdue>
}

const OVERDUE: Overdue = Object.freeze({ type: 'overdue' })

export function createFlights(): Flights {
  const flights = new Map<string, Flight>()

  function open(id: string, trip: (flight: Flight) => Promise<Result>, how: FlightOptions = {}): Flight {
    const { overStale = false, background = false } = how
    const controller = new AbortController()
    let callers = 1
    let leading = false
    let late: Lateness | undefined
    /** Give those who wait what they have that is stale. */
    const serve = new Set<(why: Lateness) => void>()
    /** Of the callers, those that don't wait. */
    let unattended = background ? 1 : 0
    let abandoned = () => flight.abort()
    let openersTimer: NodeJS.Timeout | undefined
    let company: Company | undefined

    function leave(): void {
      callers--
      if (callers === 0) abandoned()
    }

    function waitTogether(limit: number): Promise<Result | Overdue> {
      const since = performance.now()
      if (company === undefined || company.limit !== limit || since - company.since >= 1) company = gather(limit, since)
      company.size++
      return company.outcome
    }

    function gather(limit: number, since: number): Company {
      const outcome = new Promise<Result | Overdue>((resolve, reject) => {
        const timer = timerFor(limit, () => {
          // A timer of a millisecond may fire before one has passed: who comes now would not be counted out.
          if (company === gathered) company = undefined
          resolve(OVERDUE)
          for (let left = gathered.size; left > 0; left--) leave()
        })
        // Not a turn later than those who wait apart, or what these begin next may be over before it is joined.
        result.then(
          (value) => {
            clearTimeout(timer)
            resolve(value)
          },
          (error) => {
            clearTimeout(timer)
            reject(error)
          },
        )
      })
      const gathered: Company = { limit, since, size: 0, outcome }
      return gathered
    }

    function waitApart({ signal, limit, opener, soft }: Caller): Promise<Result | Overdue> {
      return new Promise((resolve, reject) => {
        /** What comes of the flight is not this caller's any more, nor is the abort that its leaving may cause. */
        let gone = false
        const settled = () => {
          clearTimeout(timer)
          clearTimeout(softTimer)
          serve.delete(served)
          forget?.()
        }
        const go = () => {
          gone = true
          settled()
          leave()
        }
        const aborted = () => {
          go()
          reject(signal?.reason)
        }
        const overdue = () => {
          go()
          resolve(OVERDUE)
        }
        const served = (why: Lateness) => {
          gone = true
          settled()
          late = why
          // Still counted in: what it was answered is no reason to give up.
          unattended++
          resolve((soft as NonNullable<typeof soft>).answer(why))
        }
        if (signal?.aborted) {
          leave()
          return reject(signal.reason)
        }
        const timer = opener && leading ? undefined : timerFor(limit, overdue)
        if (opener) openersTimer = timer
        const softTimer = soft === undefined ? undefined : timerFor(soft.limit, () => served('softTimeout'))
        if (soft !== undefined) serve.add(served)
        const forget = signal && onAbort(signal, aborted)
        result.then(
          (value) => {
            settled()
            if (!gone) resolve(value)
          },
          (error) => {
            settled()
            if (!gone) reject(error)
          },
        )
      })
    }

    const flight: Flight = {
      id,
      // Node makes it when it is first asked for, and takes long for that: a claim does not wait for it.
      get signal() {
        return controller.signal
      },
      get callers() {
        return callers
      },
      get idle() {
        return callers <= unattended
      },
      overStale,
      get late() {
        return late
      },
      join() {
        callers++
        return flight
      },
      wait(caller) {
        const { signal, limit, opener, soft } = caller
        return signal === undefined && soft === undefined && !opener ? waitTogether(limit) : waitApart(caller)
      },
      holds(instead) {
        abandoned = instead
        if (callers === 0) abandoned()
      },
      leads() {
        leading = true
        if (late === 'queue') late = undefined
        clearTimeout(openersTimer)
      },
      queues() {
        late = 'queue'
        for (const answer of [...serve]) answer('queue')
      },
      abort() {
        flight.detach()
        controller.abort()
      },
      detach() {
        if (flights.get(id) === flight) flights.delete(id)
      },
    }
    flights.set(id, flight)
    const result = trip(flight).finally(flight.detach)
    result.catch(() => undefined) // told to those who wait; nobody may be left to
    return flight
  }

  return {
    get: (id) => flights.get(id),
    open,
    detach: (id) => flights.get(id)?.detach(),
    seal: () => flights.clear(),
    get size() {
      return flights.size
    },
  }
}

/** `undefined` for a wait without an end. */
function timerFor(limit: number, over: () => void): NodeJS.Timeout | undefined {
  return limit === Number.POSITIVE_INFINITY ? undefined : setTimeout(over, Math.min(limit, MAX_TIMER))
}
