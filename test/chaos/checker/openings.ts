import type { Read } from '../history.ts'
import { countBelow, type Subject } from './barriers.ts'
import type { Model } from './model.ts'

/** When the local flight, or the shared look, that a call may have joined was opened, at the earliest. */
export interface Openings {
  since(process: string, key: string, subject: Subject, at: number): number
}

/** Reads that share flights and looks of their instance; `getMany` asks Redis by itself. */
const SHARING: ReadonlySet<string> = new Set<Read>(['getOrSet', 'claim', 'get', 'has', 'entry'])

/** ms that a flight may stay after its loader returned: its value is being indexed, and nobody may wait. */
const INDEXING = 500

/**
 * A flight lives while a call waits for it or its loader runs. So what a call may have joined was opened no earlier than
 * the last instant before it at which the instance had neither call nor run for the key; and no earlier than the last
 * notice of the bus about it, at which the instance lets go of all that it has.
 */
export function createOpenings(model: Model): Openings {
  const periods = periodsOf(model)
  const cuts = cutsOf(model)

  function lastCut(process: string, subject: Subject, at: number): number {
    const line = cuts.get(`${process} ${subject}`)
    return line?.[countAtMost(line, at) - 1] ?? Number.NEGATIVE_INFINITY
  }

  return {
    since(process, key, subject, at) {
      const { starts = [], ends = [] } = periods.get(`${process} ${key}`) ?? {}
      const i = countAtMost(starts, at) - 1
      const busy = i >= 0 && (ends[i] as number) >= at ? (starts[i] as number) : at
      return Math.max(
        busy,
        lastCut(process, `key ${key}`, at),
        lastCut(process, 'all', at),
        subject === 'all' ? busy : lastCut(process, subject, at),
      )
    },
  }
}

interface Periods {
  readonly starts: number[]
  readonly ends: number[]
}

/** By process and key: when it had calls or runs of it, one period after another. */
function periodsOf({ calls, runs }: Model): ReadonlyMap<string, Periods> {
  const spans = new Map<string, (readonly [from: number, to: number])[]>()
  const add = (process: string, key: string, from: number, to: number) => {
    const name = `${process} ${key}`
    const list = spans.get(name)
    if (list === undefined) spans.set(name, [[from, to]])
    else list.push([from, to])
  }
  for (const { process, record, end } of calls) {
    if (SHARING.has(record.op)) for (const key of record.keys) add(process, key, record.at, end)
  }
  for (const { process, record, loadedAt } of runs) add(process, record.key, record.at, loadedAt + INDEXING)

  const periods = new Map<string, Periods>()
  for (const [name, list] of spans) {
    list.sort(([a], [b]) => a - b)
    const starts: number[] = []
    const ends: number[] = []
    for (const [from, to] of list) {
      const last = ends.length - 1
      if (last >= 0 && from <= (ends[last] as number)) ends[last] = Math.max(ends[last] as number, to)
      else {
        starts.push(from)
        ends.push(to)
      }
    }
    periods.set(name, { starts, ends })
  }
  return periods
}

/** By process and subject: when the instance heard of an invalidation of another one. */
function cutsOf({ events }: Model): ReadonlyMap<string, readonly number[]> {
  const cuts = new Map<string, number[]>()
  for (const [process, list] of events) {
    for (const { name, at, keys = [], tags = [] } of list) {
      if (name !== 'invalidate' && name !== 'clear') continue
      const subjects =
        name === 'clear' ? ['all'] : [...keys.map((key) => `key ${key}`), ...tags.map((tag) => `tag ${tag}`)]
      for (const subject of subjects) {
        const line = cuts.get(`${process} ${subject}`)
        if (line === undefined) cuts.set(`${process} ${subject}`, [at])
        else line.push(at)
      }
    }
  }
  return cuts
}

function countAtMost(numbers: ArrayLike<number>, most: number): number {
  let count = countBelow(numbers, most)
  while (count < numbers.length && numbers[count] === most) count++
  return count
}
