import type { Call } from './model.ts'

/** A confirmed invalidation or direct set: what was computed before it must not be had after it. */
export interface Barrier {
  readonly process: string
  /** As in `'invalidate of A1'`. */
  readonly what: string
  readonly at: number
  readonly end: number
  /** What the origin had before it. */
  readonly version: number | undefined
}

/** What a barrier covers: the values of a key, those with a tag, or all. */
export type Subject = `key ${string}` | `tag ${string}` | 'all'

export interface Barriers {
  /**
   * A barrier for the subject that had ended before the instant, and which the value is of before: what made it was done
   * by `doneBy`, before the barrier began; or its `version` is older. Of any process, or of the one that is named.
   */
  broken(subject: Subject, before: number, value: Dated, process?: string): Barrier | undefined
}

export interface Dated {
  readonly doneBy: number
  /** Of the subject, where that has one. */
  readonly version: number | undefined
}

export function createBarriers(calls: readonly Call[]): Barriers {
  const lines = new Map<string, Barrier[]>()
  for (const call of calls) {
    for (const [subject, barrier] of barriersOf(call)) {
      for (const name of [subject, `${call.process} ${subject}`]) {
        const line = lines.get(name) ?? []
        lines.set(name, line)
        line.push(barrier)
      }
    }
  }
  const sorted = new Map([...lines].map(([name, line]) => [name, lineOf(line)]))

  return {
    broken(subject, before, value, process) {
      const line = sorted.get(process === undefined ? subject : `${process} ${subject}`)
      return line && brokenIn(line, before, value)
    },
  }
}

/** Barriers by their end; for each the one of those up to it that began last, and the one with the highest version. */
interface Line {
  readonly ends: Float64Array
  readonly latest: readonly Barrier[]
  readonly newest: readonly Barrier[]
}

function lineOf(barriers: readonly Barrier[]): Line {
  const byEnd = [...barriers].sort((a, b) => a.end - b.end)
  const latest: Barrier[] = []
  const newest: Barrier[] = []
  for (const [i, barrier] of byEnd.entries()) {
    const [late = barrier, young = barrier] = i === 0 ? [] : [latest[i - 1], newest[i - 1]]
    latest.push(barrier.at > late.at ? barrier : late)
    newest.push((barrier.version ?? 0) > (young.version ?? 0) ? barrier : young)
  }
  return { ends: Float64Array.from(byEnd, ({ end }) => end), latest, newest }
}

function brokenIn({ ends, latest, newest }: Line, before: number, { doneBy, version }: Dated): Barrier | undefined {
  const last = countBelow(ends, before) - 1
  const late = latest[last]
  if (late !== undefined && late.at > doneBy) return late
  const young = newest[last]
  return young !== undefined && version !== undefined && (young.version ?? 0) > version ? young : undefined
}

function barriersOf({ process, record, end, outcome }: Call): [Subject, Barrier][] {
  const { op, at, keys, tags = [], versions, sets } = record
  const barrier = (item?: string): Barrier => {
    return { process, what: `${op} of ${process}`, at, end, version: item === undefined ? undefined : versions?.[item] }
  }
  if (sets !== undefined) {
    if (outcome?.type !== 'got') return []
    return keys.flatMap((key, i) => (outcome.values[i] === 'yes' ? [[`key ${key}`, barrier(key)]] : []))
  }
  if (outcome?.type !== 'done') return []
  if (op === 'clear') return [['all', barrier()]]
  return [
    ...keys.map((key): [Subject, Barrier] => [`key ${key}`, barrier(key)]),
    ...tags.map((tag): [Subject, Barrier] => [`tag ${tag}`, barrier(tag)]),
  ]
}

/** How many of the numbers, which are in order, are less than this. */
export function countBelow(numbers: ArrayLike<number>, than: number): number {
  let low = 0
  let high = numbers.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((numbers[middle] as number) < than) low = middle + 1
    else high = middle
  }
  return low
}
