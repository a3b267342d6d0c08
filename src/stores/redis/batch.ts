/** Which calls of one moment are made by one command. */
export interface Batching<A> {
  /** What the calls of one command weigh at most, if there are several. */
  readonly most: number
  /** Default: 1. */
  weigh?(call: A): number
  /**
   * Calls what it is given when all calls are there. `process.nextTick` does so when nothing is left to be run, also of what waits
   * for a promise; `queueMicrotask` before what waits for the promise of a caller goes on.
   */
  defer(flush: () => void): void
}

interface Call<A, R> {
  readonly call: A
  resolve(value: R): void
  reject(error: unknown): void
}

/**
 * Calls of one moment, such as those for the items of a list, in one command, or a few. `many` answers in order, with an error in
 * the place of a call that failed.
 */
export function batched<A, R>(
  { most, weigh = () => 1, defer }: Batching<A>,
  many: (calls: readonly A[]) => Promise<readonly (R | Error)[]>,
): (call: A) => Promise<R> {
  let waiting: Call<A, R>[] = []

  function flush(): void {
    const all = waiting
    waiting = []
    let first = 0
    let weight = 0
    for (const [i, { call }] of all.entries()) {
      const own = weigh(call)
      if (i > first && weight + own > most) {
        send(all.slice(first, i))
        first = i
        weight = 0
      }
      weight += own
    }
    send(first === 0 ? all : all.slice(first))
  }

  function send(calls: readonly Call<A, R>[]): void {
    many(calls.map(({ call }) => call)).then(
      (answers) => {
        for (const [i, { resolve, reject }] of calls.entries()) {
          const answer = answers[i] as R | Error
          if (answer instanceof Error) reject(answer)
          else resolve(answer)
        }
      },
      (error) => {
        for (const { reject } of calls) reject(error)
      },
    )
  }

  return (call) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) defer(flush)
      waiting.push({ call, resolve, reject })
    })
}
