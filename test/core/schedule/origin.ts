import type { Call } from './caller.ts'
import type { Barrier, Host } from './host.ts'

/** What the caches keep: which version of the origin, and who brought it. */
export interface Value {
  readonly version: number
  /** A run of a loader, or a direct set. */
  readonly by: Run['name'] | Barrier['name']
}

/** One run of a loader. */
export interface Run {
  readonly name: string
  readonly host: Host
  readonly key: string
  /** The caller whose loader it is. */
  readonly call: Call
  readonly signal: AbortSignal
  readonly value: Value
  readonly startedAt: number
  /** The step in which the store took its value. */
  publishedAt: number | undefined
  finish(): void
  fail(error: unknown): void
}

/** The system of record: a version per key, which writers count up. */
export interface Origin {
  versionOf(key: string): number
  bump(key: string): number
  /** Reads the version now; the run lasts until somebody ends it. */
  start(call: Call, signal: AbortSignal, settle: Pick<Run, 'finish' | 'fail'>): Run
  readonly running: readonly Run[]
  ended(run: Run): void
  runOf(value: Value): Run | undefined
  barrier(host: Host, key: string, what: string): Barrier
  barrierOf(value: Value): Barrier | undefined
  readonly barriers: readonly Barrier[]
}

export function createOrigin(step: () => number): Origin {
  const versions = new Map<string, number>()
  const runs = new Map<string, Run>()
  const barriers = new Map<string, Barrier>()
  let running: Run[] = []

  const versionOf = (key: string) => versions.get(key) ?? 1

  return {
    versionOf,
    bump(key) {
      versions.set(key, versionOf(key) + 1)
      return versionOf(key)
    },
    start(call, signal, settle) {
      const { host, key } = call
      const name = `load ${runs.size + 1}`
      const value = { version: versionOf(key), by: name }
      const run: Run = { name, host, key, call, signal, value, startedAt: step(), publishedAt: undefined, ...settle }
      runs.set(name, run)
      running.push(run)
      return run
    },
    get running() {
      return running
    },
    ended(run) {
      running = running.filter((other) => other !== run)
    },
    runOf: (value) => runs.get(value.by),
    barrier(host, key, what) {
      const name = `${what} ${barriers.size + 1}`
      const version = versionOf(key)
      const barrier: Barrier = { name, key, host, version, executedAt: undefined, returnedAt: undefined }
      barriers.set(name, barrier)
      return barrier
    },
    barrierOf: (value) => barriers.get(value.by),
    get barriers() {
      return [...barriers.values()]
    },
  }
}

/** Whether the value is of before the barrier: computed from an older version, or directly set before it. */
export function isBefore(origin: Origin, value: Value, barrier: Barrier): boolean {
  if (value.version >= barrier.version) return false
  const set = origin.barrierOf(value)
  if (set === undefined) return true
  // Two direct changes that were under way at once: the store's order counts.
  return (set.executedAt ?? Number.POSITIVE_INFINITY) < (barrier.executedAt ?? Number.POSITIVE_INFINITY)
}
