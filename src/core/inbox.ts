import { MAX_TIMER } from './checks.ts'
import type { Message, Outcome } from './store.ts'

/** What ended a wait: the flight's outcome; its lease; the inbox, lost or back; or whoever gave up waiting. */
export type Waited = Outcome | { readonly type: 'lapsed' | 'inbox' | 'stopped' }

/** One wait for the end of somebody else's flight. */
export interface Waiter {
  /** Waits for the flight of this token, at most `limit` ms. */
  wait(token: string, limit: number): Promise<Waited>
  /** Ends the wait, now or if it should begin later. */
  stop(): void
}

/** Hands the messages of the store to those who wait. */
export interface Inbox {
  /** To be called before the claim is sent: the message comes on another connection and may overtake the reply. */
  expect(id: string): Waiter
  receive(message: Message): void
  /** While it is not confirmed messages may be lost, and those who wait must poll. */
  confirmed: boolean
}

export function createInbox(): Inbox {
  const expected = new Map<string, Set<{ receive(message: Message): void; finish(waited: Waited): void }>>()
  let confirmed = false

  return {
    get confirmed() {
      return confirmed
    },
    set confirmed(now) {
      if (confirmed === now) return
      confirmed = now
      // From now on messages may be lost, or those of before may have been: whoever waits claims again, and polls then or
      // does not. So does who has no reply to its claim yet: it may have run on the other side of the change.
      const waiting = [...expected.values()].flatMap((waiters) => [...waiters])
      for (const waiter of waiting) waiter.finish({ type: 'inbox' })
    },

    expect(id) {
      let token: string | undefined
      let early: Message[] = []
      let done: Waited | undefined
      let resolve: ((waited: Waited) => void) | undefined
      let timer: NodeJS.Timeout | undefined

      const waiter = {
        // A waits for X by id alone; X ends, the key is invalidated, A's next caller waits for Y; X's message comes late:
        // without the token it would be taken for Y's, older than the invalidation.
        receive(message: Message): void {
          if (token === undefined) early.push(message)
          else if (message.token === token) waiter.finish(message.outcome)
        },
        finish(waited: Waited): void {
          done ??= waited
          clearTimeout(timer)
          early = []
          const waiters = expected.get(id)
          if (waiters?.delete(waiter) && waiters.size === 0) expected.delete(id)
          resolve?.(done)
        },
      }
      const waiters = expected.get(id) ?? new Set()
      expected.set(id, waiters.add(waiter))

      return {
        wait(named, limit) {
          token = named
          const overtook = early.find((message) => message.token === named)
          if (overtook !== undefined) waiter.finish(overtook.outcome)
          early = []
          if (done !== undefined) return Promise.resolve(done)
          return new Promise((settle) => {
            resolve = settle
            timer = setTimeout(() => waiter.finish({ type: 'lapsed' }), Math.min(limit, MAX_TIMER))
          })
        },
        stop: () => waiter.finish({ type: 'stopped' }),
      }
    },

    receive(message) {
      const waiters = expected.get(message.id)
      if (waiters !== undefined) for (const waiter of [...waiters]) waiter.receive(message)
    },
  }
}
