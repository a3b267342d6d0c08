import { StoreError } from './errors.ts'
import type { Events } from './events.ts'
import type { Rights } from './rights.ts'

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
 * event, and after too many in a row nothing is sent but one probe after another, for which nobody waits, until one has come back
 * (the states are those of M. Nygard, "Release It!"). What the store may not do is not sent either, but now and then.
 */
export interface Breaker {
  /** Rejects with the store's error, or a `StoreError`. `late` gets the reply that came after the budget. */
  run<T>(guarded: Guarded, send: () => Promise<T>, late?: (reply: T) => void): Promise<T>
  readonly state: 'open' | 'half-open' | 'closed'
}

/** So many commands are sent before the first of them has its reply; the budget of the next ones begins when they are sent. */
const MAX_SENT_OUT = 1000

/** A command that was sent, until its reply or the end of its budget. */
interface Sent {
  /** ms. */
  readonly timeout: number
  answered: boolean
  /** Called at the end of the budget, where there is no reply yet. */
  expire(): void
  /** Called with the reply. */
  settled?: () => void
}

/**
 * All that is sent until whatever runs now has nothing more to do, such as for the items of a list. The store may send it
 * together, and not before: so the budgets begin then, and what fails fails as one.
 */
type Moment = Sent[]

/** Begins the budgets of what was sent in a moment: one timer for all that end together. */
function beginBudgets(moment: Moment): void {
  const groups = new Map<number, Sent[]>()
  for (const command of moment) {
    if (command.answered) continue
    const timeout = Math.ceil(command.timeout)
    const group = groups.get(timeout)
    if (group === undefined) groups.set(timeout, [command])
    else group.push(command)
  }
  for (const [timeout, group] of groups) {
    let left = group.length
    // Timers run before sockets are read: after the event loop was blocked for longer than the budget the reply may be here
    // already. A blocked loop is not a slow store, so the sockets have their turn first, and another one for as long as each
    // brings replies to these: one turn does not read a thousand. The others end in one turn: what their callers load then can
    // be loaded together.
    const expire = (before: number) => {
      if (left !== before) setImmediate(expire, left)
      else for (const command of group) if (!command.answered) command.expire()
    }
    const timer = setTimeout(() => setImmediate(expire, left), timeout)
    const settled = () => {
      left--
      if (left === 0) clearTimeout(timer)
    }
    for (const command of group) command.settled = settled
  }
}

function leftAlone({ op }: Guarded): StoreError {
  return new StoreError('BREAKER_OPEN', `${op} is not waited for: the store failed before`)
}

/** A store that throws at once, against its contract, fails as one that rejects. */
async function sent<T>(command: () => Promise<T>): Promise<T> {
  return command()
}

export function createBreaker(
  settings: { readonly failures: number; readonly retryAfter: number },
  events: Events,
  rights: Rights,
): Breaker {
  let failures = 0
  let state: Breaker['state'] = 'closed'
  /** `performance.now()` from which one command may probe the store. */
  let retryAt = 0
  let moment: Moment | undefined
  /** Whose failure was counted last. */
  let counted: Moment | undefined
  /** Commands without a reply yet. */
  let sentOut = 0
  const held: (() => void)[] = []

  function momentOf(): Moment {
    if (moment === undefined) {
      const begun: Moment = []
      moment = begun
      process.nextTick(() => {
        if (moment === begun) moment = undefined
        beginBudgets(begun)
      })
    }
    return moment
  }

  function done(): void {
    sentOut--
    while (sentOut < MAX_SENT_OUT && held.length > 0) held.shift()?.()
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
  function failed(guarded: Guarded, error: unknown, sentIn: Moment): void {
    const { op, key } = guarded
    if (error instanceof StoreError && error.code === 'CLOSED') return // who closed the cache knows
    if (rights.isNews(op, error)) events.emit({ type: 'storeFault', op, ...(key === undefined ? {} : { key }), error })
    // A refusal is a reply: the store is there, and answers in time.
    if (error instanceof StoreError && (error.code === 'REFUSED' || error.code === 'WRONG_TYPE')) {
      succeeded()
      return
    }
    if (counted !== sentIn) failures++
    counted = sentIn
    if (moment === sentIn) moment = undefined // what is sent after a failure is not of its moment
    if (state === 'closed' && failures < settings.failures) return
    retryAt = performance.now() + settings.retryAfter
    become('open')
  }

  function send<T>(guarded: Guarded, command: () => Promise<T>, late: ((reply: T) => void) | undefined): Promise<T> {
    const refusal = guarded.always === true ? undefined : rights.refusal(guarded.op)
    if (refusal !== undefined) return Promise.reject(refusal)
    const probes = state !== 'closed' && guarded.always !== true
    if (probes) {
      if (state === 'half-open' || performance.now() < retryAt) return Promise.reject(leftAlone(guarded))
      become('half-open')
    }
    const sentIn = momentOf()
    sentOut++
    return new Promise((resolve, reject) => {
      let over = false
      const own: Sent = {
        timeout: guarded.timeout,
        answered: false,
        expire() {
          over = true
          const error = new StoreError('TIMEOUT', `no reply to ${guarded.op} within ${guarded.timeout} ms`)
          failed(guarded, error, sentIn)
          reject(error)
          done()
        },
      }
      sentIn.push(own)
      const settle = () => {
        own.answered = true
        own.settled?.()
        done()
      }
      sent(command).then(
        (reply) => {
          if (over) {
            late?.(reply)
            return
          }
          rights.granted(guarded.op)
          succeeded()
          if (probes) late?.(reply)
          else resolve(reply)
          settle()
        },
        (error) => {
          // After the budget it was already counted and told.
          if (over) return
          failed(guarded, error, sentIn)
          reject(error)
          settle()
        },
      )
      // It asks for all; its own caller would wait for a store that is likely to be silent still.
      if (probes) reject(leftAlone(guarded))
    })
  }

  return {
    get state() {
      return state
    },
    run(guarded, command, late) {
      if (sentOut < MAX_SENT_OUT || guarded.always === true) return send(guarded, command, late)
      return new Promise((resolve, reject) => {
        held.push(() => send(guarded, command, late).then(resolve, reject))
      })
    },
  }
}
