import { vi } from 'vitest'

/** Whose timers they are. */
export interface Owner {
  /** Stopped as by SIGSTOP: timers that come due wait until it goes on. */
  readonly paused: boolean
  /** Killed: its timers never fire. */
  readonly crashed: boolean
}

/** The only clock and the only event loop of a schedule: nothing happens but what it is told to run. */
export interface Clock extends Disposable {
  now(): number
  /** Runs code of the owner, and all that follows from it, until only timers are left. */
  run(owner: Owner | undefined, enter: () => void): Promise<void>
  /** Moves by so many ms, one timer after the other; `ran` is called after each. */
  advance(ms: number, ran: () => Promise<void>): Promise<void>
  /** Moves to the next timers and runs them; `false` where there are none. */
  next(ran: () => Promise<void>): Promise<boolean>
  /** Runs the timers that came due while their owner was paused. */
  catchUp(ran: () => Promise<void>): Promise<void>
  timersOf(owner: Owner): number
}

interface Timer {
  readonly owner: Owner | undefined
  readonly callback: () => void
}

const immediately = setImmediate

/** Replaces the timers, `performance` and `Date` until it is disposed. */
export function createClock(): Clock {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'],
    now: Date.UTC(2026, 0, 1),
  })
  // To lru-cache an entry of the instant 0 has no beginning, and so no end.
  vi.advanceTimersByTime(1000)
  const fake = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout }
  const timers = new Map<unknown, Timer>()
  /** Those that came due and have not run yet: all of one instant come due together. */
  const due = new Map<unknown, Timer>()
  let current: Owner | undefined

  function set(callback: (...given: unknown[]) => void, ms?: number, ...given: unknown[]): NodeJS.Timeout {
    const handle = fake.setTimeout(() => {
      due.set(handle, timers.get(handle) as Timer)
      timers.delete(handle)
    }, ms)
    timers.set(handle, { owner: current, callback: () => callback(...given) })
    return handle
  }

  function clear(handle: NodeJS.Timeout): void {
    fake.clearTimeout(handle)
    timers.delete(handle)
    due.delete(handle)
  }

  globalThis.setTimeout = set as unknown as typeof setTimeout
  globalThis.clearTimeout = clear as typeof clearTimeout

  /** One turn of the real event loop: all microtasks run before it, those that they queue included. */
  async function drain(): Promise<void> {
    await new Promise<void>((resolve) => immediately(resolve))
    current = undefined
  }

  /** Runs what is due, one timer after the other, as an event loop does. */
  async function runDue(ran: () => Promise<void>): Promise<void> {
    for (const [handle, { owner, callback }] of [...due]) {
      if (owner?.paused || !due.delete(handle) || owner?.crashed) continue
      current = owner
      callback()
      await drain()
      await ran()
    }
  }

  return {
    now: () => performance.now(),
    async run(owner, enter) {
      current = owner
      enter()
      await drain()
    },
    async advance(ms, ran) {
      let reached = false
      fake.setTimeout(() => {
        reached = true
      }, ms)
      while (!reached) {
        vi.advanceTimersToNextTimer()
        await runDue(ran)
      }
    },
    async next(ran) {
      if (vi.getTimerCount() === 0) return false
      vi.advanceTimersToNextTimer()
      await runDue(ran)
      return true
    },
    catchUp: runDue,
    timersOf(owner) {
      let count = 0
      for (const timer of [...timers.values(), ...due.values()]) if (timer.owner === owner) count++
      return count
    },
    [Symbol.dispose]() {
      Object.assign(globalThis, fake)
      vi.useRealTimers()
    },
  }
}
