import { StoreError } from './errors.ts'
import type { Events } from './events.ts'

/** How a command is guarded. */
export interface Guarded {
  /** For the event of a failure. */
  readonly op: string
  readonly key?: string
  /** ms until the caller goes on without a reply. */
  readonly timeout: number
  /** Sent even while the breaker is open: an invalidation must reach the store or reject. */
  readonly always?: boolean
}

/**
 * Stands between the cache and its store: a command that takes longer than its budget rejects, a failure becomes an
 * event, and after too many in a row nothing is sent until one probe after another has come back (the states are
 * those of M. Nygard, "Release It!").
 */
export interface Breaker {
  /** Rejects with the store's error, or a `StoreError`. `late` gets the reply that came after the budget. */
  run<T>(guarded: Guarded, send: () => Promise<T>, late?: (reply: T) => void): Promise<T>
  readonly state: 'open' | 'half-open' | 'closed'
}

/** A store that throws at once, against its contract, fails as one that rejects. */
async function sent<T>(send: () => Promise<T>): Promise<T> {
  return send()
}

export function createBreaker(
  settings: { readonly failures: number; readonly retryAfter: number },
  events: Events,
): Breaker {
  let failures = 0
  let state: Breaker['state'] = 'closed'
  /** `performance.now()` from which one command may probe the store. */
  let retryAt = 0
  /** All that is sent until whatever runs now has nothing more to do. */
  let moment: object | undefined
  /** Whose failure was counted last. */
  let counted: object | undefined

  function momentOf(): object {
    if (moment === undefined) {
      moment = {}
      process.nextTick(() => {
        moment = undefined
      })
    }
    return moment
  }

  function become(next: Breaker['state']): void {
    if (state === next) return
    state = next
    events.emit({ type: 'breaker', state })
  }

  function succeeded(): void {
    failures = 0
    become('closed')
  }

  /** @param sentIn what was sent in one moment, such as for the items of a list, fails as one */
  function failed(guarded: Guarded, error: unknown, sentIn: object): void {
    const { op, key } = guarded
    if (error instanceof StoreError && error.code === 'CLOSED') return // who closed the cache knows
    events.emit({ type: 'storeFault', op, ...(key === undefined ? {} : { key }), error })
    // A refusal is a reply: the store is there, and answers in time.
    if (error instanceof StoreError && (error.code === 'REFUSED' || error.code === 'WRONG_TYPE')) {
      succeeded()
      return
    }
    if (counted !== sentIn) failures++
    counted = sentIn
    if (state === 'closed' && failures < settings.failures) return
    retryAt = performance.now() + settings.retryAfter
    become('open')
  }

  return {
    get state() {
      return state
    },
    run(guarded, send, late) {
      if (state !== 'closed' && guarded.always !== true) {
        if (state === 'half-open' || performance.now() < retryAt) {
          return Promise.reject(new StoreError('BREAKER_OPEN', `${guarded.op} was not sent: the store failed before`))
        }
        become('half-open')
      }
      const sentIn = momentOf()
      return new Promise((resolve, reject) => {
        let answered = false
        let over = false
        const expire = () => {
          if (answered) return
          over = true
          const error = new StoreError('TIMEOUT', `no reply to ${guarded.op} within ${guarded.timeout} ms`)
          failed(guarded, error, sentIn)
          reject(error)
        }
        // Timers run before sockets are read: after the event loop was blocked for longer than the budget the reply may
        // be here already. A blocked loop is not a slow store, so the sockets have their turn first.
        const timer = setTimeout(() => setImmediate(expire), guarded.timeout)
        sent(send).then(
          (reply) => {
            if (over) {
              late?.(reply)
              return
            }
            answered = true
            clearTimeout(timer)
            succeeded()
            resolve(reply)
          },
          (error) => {
            // After the budget it was already counted and told.
            if (over) return
            answered = true
            clearTimeout(timer)
            failed(guarded, error, sentIn)
            reject(error)
          },
        )
      })
    },
  }
}
