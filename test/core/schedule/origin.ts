import type { Call } from './caller.ts'
import type { Host } from './host.ts'
import type { Tagging } from './tagging.ts'

/** What the caches keep: which versions of the origin, and who brought them. */
export interface Value {
  /** What it is made of: the version of its key, and of the item behind each of its tags. */
  readonly parts: Readonly<Record<string, number>>
  /** The name of a run of a loader, or of a direct set. */
  readonly by: string
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

/** The system of record: a version per key and tag, which writers count up. */
export interface Origin {
  versionOf(item: string): number
  bump(item: string): void
  /** The key's value now. */
  read(key: string, by: string): Value
  taggingOf(key: string): Tagging
  /** Reads the value now; the run lasts until somebody ends it. */
  start(call: Call, signal: AbortSignal, settle: Pick<Run, 'finish' | 'fail'>): Run
  readonly running: readonly Run[]
  ended(run: Run): void
  runOf(value: Value): Run | undefined
}

export function createOrigin(step: () => number, taggings: ReadonlyMap<string, Tagging>): Origin {
  const versions = new Map<string, number>()
  const runs = new Map<string, Run>()
  let running: Run[] = []

  const versionOf = (item: string) => versions.get(item) ?? 1

  function taggingOf(key: string): Tagging {
    const tagging = taggings.get(key)
    if (tagging === undefined) throw new Error(`nobody said how ${key} is tagged`)
    return tagging
  }

  function read(key: string, by: string): Value {
    const items = [key, ...taggingOf(key).next()]
    return { parts: Object.fromEntries(items.map((item) => [item, versionOf(item)])), by }
  }

  return {
    versionOf,
    bump: (item) => void versions.set(item, versionOf(item) + 1),
    read,
    taggingOf,
    start(call, signal, settle) {
      const { host, key } = call
      const name = `load ${runs.size + 1}`
      const value = read(key, name)
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
  }
}

/** `k3 x2 of load 1` */
export function textOf({ parts, by }: Value): string {
  const versions = Object.entries(parts).map(([item, version]) => `${item}${version}`)
  return `${versions.join(' ')} of ${by}`
}
