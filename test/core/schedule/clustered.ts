import type { Session } from '../../../src/index.ts'
import type { Ledger } from './ledger.ts'

/** ms that a claim waits for the clock. */
const CLOCK_LIMIT = 12

/**
 * A session as of a cluster: one id or tag to a request, and the clock of tags, which is on another server, read beside
 * the claim and before the taking. Whoever asks for it while it is read shares that.
 */
export function clustered(session: Session, readClock: () => Promise<number>, ledger: Ledger): Session {
  let reading: Promise<number> | undefined

  async function clock(): Promise<number> {
    reading ??= readClock().finally(() => {
      reading = undefined
    })
    return reading
  }

  return {
    ...session,
    async claim(id, request) {
      const beside = inTime(clock(), CLOCK_LIMIT)
      const reply = await session.claim(id, request)
      if (reply.type !== 'lead') return reply
      const read = await beside
      if (read === undefined) ledger.clockless(request.token)
      return { ...reply, clock: read }
    },
    async take(id, token, lease) {
      const before = await clock()
      await session.take(id, token, lease)
      return before
    },
    async remove(ids) {
      const results = await Promise.allSettled(ids.map((id) => session.remove([id])))
      for (const result of results) if (result.status === 'rejected') throw result.reason
    },
    async index(id, tags, life) {
      return Math.max(0, ...(await Promise.all(tags.map((tag) => session.index(id, [tag], life)))))
    },
  }
}

/** What comes within `limit` ms; `undefined` for what comes later, or fails. */
function inTime<T>(promise: Promise<T>, limit: number): Promise<T | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, limit, undefined)
    const settle = (value?: T) => {
      clearTimeout(timer)
      resolve(value)
    }
    promise.then(settle, () => settle())
  })
}
