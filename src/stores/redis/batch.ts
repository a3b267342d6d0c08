/** Keys that are read by one command: a reply holds them all. */
const MAX_KEYS = 1000

interface Read<V> {
  readonly key: string
  resolve(value: V): void
  reject(error: unknown): void
}

/**
 * Reads of one moment, such as those of the calls of a batch or the items of a list, in one command. A moment is what is run without waiting for
 * anything outside of the process.
 */
export function batched<V>(
  one: (key: string) => Promise<V>,
  many: (keys: readonly string[]) => Promise<readonly V[]>,
): (key: string) => Promise<V> {
  let waiting: Read<V>[] = []

  function flush(): void {
    const reads = waiting
    waiting = []
    const [only] = reads
    if (only !== undefined && reads.length === 1) {
      one(only.key).then(only.resolve, only.reject)
      return
    }
    for (let i = 0; i < reads.length; i += MAX_KEYS) together(reads.slice(i, i + MAX_KEYS))
  }

  function together(reads: readonly Read<V>[]): void {
    many(reads.map(({ key }) => key)).then(
      (values) => {
        for (const [i, { resolve }] of reads.entries()) resolve(values[i] as V)
      },
      (error) => {
        for (const { reject } of reads) reject(error)
      },
    )
  }

  return (key) =>
    new Promise((resolve, reject) => {
      // Asked for by a promise it comes when no promise has anything to go on with any more.
      if (waiting.length === 0) process.nextTick(flush)
      waiting.push({ key, resolve, reject })
    })
}
