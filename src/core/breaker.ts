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

/** A command that was sent. One of these is made for each hit: it has no functions of its own. */
interface Sent {
  readonly guarded: Guarded
  readonly sentIn: Moment
  readonly reject: (error: unknown) => void
  /** `'late'`: its budget ended first. */
  state: 'sent' | 'answered' | 'late'
  /** Those of its moment whose budget is as long, as soon as that has begun. */
  budget: Budget | undefined
}

/** Commands of one moment whose budgets end together. */
interface Budget {
  readonly commands: Sent[]
  /** Without a reply yet. */
  left: number
  readonly timer: NodeJS.Timeout
}

/**
 * All that is sent until whatever runs now has nothing more to do, such as for the items of a list. The store may send it
 * together, and not before: so the budgets begin then, and what fails fails as one.
 */
type Moment = Sent[]

/**
 * Begins the budgets of what was sent in a moment: one timer for all that end together.
 *
 * Timers run before sockets are read: after the event loop was blocked for longer than the budget the reply may be here
 * already. A blocked loop is not a slow store, so the sockets have their turn first, and another one for as long as each
 * brings replies to these: one turn does not read a thousand. The others end in one turn: what their callers load then can
 * be loaded together.
 */
function beginBudgets(moment: Moment, expire: (command: Sent) => void): void {
  const budgets = new Map<number, Budget>()
  const end = (budget: Budget, before: number) => {
    if (budget.left !== before) setImmediate(end, budget, budget.left)
    else for (const command of budget.commands) if (command.state === 'sent') expire(command)
  }
  for (const command of moment) {
    if (command.state !== 'sent') continue
    const timeout = Math.ceil(command.guarded.timeout)
    let budget = budgets.get(timeout)
    if (budget === undefined) {
      const begun: Budget = {
        commands: [],
        left: 0,
        timer: setTimeout(() => setImmediate(end, begun, begun.left), timeout),
      }
      budgets.set(timeout, begun)
      budget = begun
    }
    budget.commands.push(command)
    budget.left++
    command.budget = budget
  }
}

function leftAlone({ op }: Guarded): StoreError {
  return new StoreError('BREAKER_OPEN', `${op} is not waited for: the store failed before`)
}

/** A store that throws at once, against its contract, fails as one that rejects. */
function sent<T>(command: () => Promise<T>): Promise<T> {
  try {
    return Promise.resolve(command())
  } catch (error) {
    return Promise.reject(error)
  }
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
        beginBudgets(begun, expire)
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
      const own: Sent = { guarded, sentIn, reject, state: 'sent', budget: undefined }
      sentIn.push(own)
      sent(command).then(
        (reply) => {
          if (own.state === 'late') {
            late?.(reply)
            return
          }
          rights.granted(guarded.op)
          succeeded()
          if (probes) late?.(reply)
          else resolve(reply)
          answered(own)
        },
        (error) => {
          // After the budget it was already counted and told.
          if (own.state === 'late') return
          failed(guarded, error, sentIn)
          reject(error)
          answered(own)
        },
      )
      // It asks for all; its own caller would wait for a store that is likely to be silent still.
      if (probes) reject(leftAlone(guarded))
    })
  }

  function answered(command: Sent): void {
    command.state = 'answered'
    const { budget } = command
    if (budget !== undefined && --budget.left === 0) clearTimeout(budget.timer)
    done()
  }

  /** Its budget is over. */
  function expire(command: Sent): void {
    const { guarded, sentIn } = command
    command.state = 'late'
    const error = new StoreError('TIMEOUT', `no reply to ${guarded.op} within ${guarded.timeout} ms`)
    failed(guarded, error, sentIn)
    command.reject(error)
    done()
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
