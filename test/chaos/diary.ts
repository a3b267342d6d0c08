import { type Doing, doing, newDoing } from './doing.ts'
import { type CallRecord, monotonic, type Outcome, READS, type Read, type Value, type Write } from './history.ts'
import { isLoadersError, runOf } from './loader.ts'
import type { Recorder } from './recorder.ts'

/** Writes down the calls of one process, and what they come to. */
export interface Diary {
  /** Never rejects. `said`: what else is done for the same call. */
  call(
    op: Read | Write,
    about: Pick<CallRecord, 'keys'> & Partial<CallRecord>,
    send: () => Promise<Outcome>,
    more?: { abort?: AbortController | undefined; said?: Doing },
  ): Promise<Outcome>
  got(...values: (Value | undefined)[]): Outcome
  /** Something new; `kept`: that goes on for ever. */
  begin(kept?: boolean): Doing
  /** Calls under way. */
  readonly open: number
}

export function createDiary(recorder: Recorder): Diary {
  let calls = 0
  let open = 0

  const begin = (kept = false) => newDoing(++calls, kept)

  return {
    async call(op, about, send, { abort, said = begin() } = {}) {
      const { call } = said
      let abortedAt: number | undefined
      abort?.signal.addEventListener('abort', () => {
        abortedAt = monotonic()
      })
      recorder.write({ ...about, type: 'call', call, op, at: monotonic() })
      open++
      const outcome = await doing.run(said, send).catch((error): Outcome => failure(op, error, abort))
      open--
      const end = { type: 'end', call, at: monotonic(), outcome } as const
      recorder.write(abortedAt === undefined ? end : { ...end, abortedAt })
      return outcome
    },
    got: (...values) => ({
      type: 'got',
      values: values.map((value) => (value === undefined ? null : recorder.meet(value))),
    }),
    begin,
    get open() {
      return open
    },
  }
}

function failure(op: Read | Write, error: unknown, abort: AbortController | undefined): Outcome {
  const { code, name } = Object(error) as { code?: unknown; name?: unknown }
  const asks = op === 'getOrSet' || op === 'getOrSetMany' || op === 'claim'
  const allowed = asks
    ? isLoadersError(error) || name === 'WaitTimeoutError' || (abort?.signal.aborted && error === abort.signal.reason)
    : !READS.has(op) && code === 'UNCONFIRMED'
  const run = asks ? runOf(error) : undefined
  return { type: 'failed', allowed: allowed === true, error: String(error), ...(run === undefined ? {} : { run }) }
}
