import type { EventRecord, Read } from '../history.ts'
import { countBelow, type Subject } from './barriers.ts'
import { LATE } from './changes.ts'
import type { Model } from './model.ts'

/** When what a call may have got was asked for in the store, at the earliest. */
export interface Openings {
  /** By a call that may have joined a local flight, or a shared look; or got what memory had. */
  since(process: string, key: string, subject: Subject, at: number): number
  /** By one that joins nothing. */
  read(process: string, key: string, subject: Subject, at: number): number
}

/** Reads that share flights and looks of their instance; `getMany` asks Redis by itself. */
const SHARING: ReadonlySet<string> = new Set<Read>(['getOrSet', 'getOrSetMany', 'claim', 'get', 'has', 'entry'])

/** ms that a flight may stay after its loader returned: its value is being indexed, and nobody may wait. */
const INDEXING = 500

/** ms that a reply, or the end of a flight that is waited for, takes on a busy machine. */
const REPLY = 1000

/** ms that a look may be under way of which nothing is heard. */
const LOOKING = 500

/** ms that a claim, and the look that may follow, may be under way before anything is heard of it. */
const CLAIMING = 500

/**
 * A flight lives while a call waits for it or its loader runs; one that refreshes what was answered, until its claim has a
 * reply, and while it waits for another's. So what a call may have joined was opened no earlier than
 * the last instant before it at which the instance had neither call nor run for the key; and no earlier than the last
 * notice of the bus about it, at which the instance lets go of all that it has. What keeps its key fresh looks now and then,
 * for nobody: who calls then shares that look.
 *
 * A memory tier answers what was asked for earlier: by as much as its ttl, and what the reply took. Not what was asked for
 * before such a notice; nor, of any key, before the inbox was lost or came back: it is empty then.
 */
export function createOpenings(model: Model): Openings {
  const periods = periodsOf(model)
  const cuts = cutsOf(model)

  function lastCut(process: string, subject: Subject | 'inbox', at: number): number {
    const line = cuts.get(`${process} ${subject}`)
    return line?.[countAtMost(line, at) - 1] ?? Number.NEGATIVE_INFINITY
  }

  function lastNotice(process: string, key: string, subject: Subject, at: number): number {
    const about: readonly Subject[] = [`key ${key}`, 'all', subject]
    return Math.max(...about.map((one) => lastCut(process, one, at)))
  }

  /** By process and instant: a call is asked about for each subject of each of its values. */
  const memories = new Map<string, number>()

  /** When what its memory has was asked for, at the earliest, if nobody had told it anything. */
  function memorySince(process: string, at: number): number {
    const ttl = model.memory(process)
    if (ttl === undefined) return at
    const name = `${process} ${at}`
    const since = memories.get(name) ?? memoryOf(process, at, ttl)
    memories.set(name, since)
    return since
  }

  function memoryOf(process: string, at: number, ttl: number): number {
    const least = at - ttl - REPLY
    const late = model.quiet(process, least, at) ? 0 : LATE
    const kept = least - late - model.standstill(process, least - late, at)
    return Math.max(kept, lastCut(process, 'inbox', at))
  }

  /** When a look was begun that a call shares with what keeps the key fresh, at the earliest. */
  function lookSince(process: string, key: string, at: number): number {
    if (model.history.keys[key]?.kept !== true) return at
    const least = at - LOOKING
    return least - model.standstill(process, least, at)
  }

  return {
    since(process, key, subject, at) {
      const { starts = [], ends = [] } = periods.get(`${process} ${key}`) ?? {}
      const i = countAtMost(starts, at) - 1
      const busy = i >= 0 && (ends[i] as number) >= at ? (starts[i] as number) : at
      const earliest = Math.min(busy, memorySince(process, at), lookSince(process, key, at))
      return Math.max(earliest, lastNotice(process, key, subject, at))
    },
    read(process, key, subject, at) {
      return Math.max(memorySince(process, at), lastNotice(process, key, subject, at))
    },
  }
}

interface Periods {
  readonly starts: number[]
  readonly ends: number[]
}

/** By process and key: when it had calls or runs of it, one period after another. */
function periodsOf(model: Model): ReadonlyMap<string, Periods> {
  const { calls, runs } = model
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
  for (const { process, key, from, to } of refreshesOf(model)) add(process, key, from, to)

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

interface Refresh {
  readonly process: string
  readonly key: string
  readonly from: number
  readonly to: number
}

/** Refreshes behind answers, from when they began until the last that was heard of them. */
function refreshesOf(model: Model): Refresh[] {
  const found: Refresh[] = []
  for (const [process, list] of model.events) {
    const going = new Map<string, { key: string; from: number; last: EventRecord }>()
    const end = (one: { key: string; from: number; last: EventRecord }) => {
      const { key, from, last } = one
      const { name, at } = last
      // What it leads is a run.
      const claims = name === 'refresh' || name === 'followed' || name === 'wentOn'
      const spent = claims ? at + CLAIMING + model.standstill(process, at, at + CLAIMING) : at
      found.push({ process, key, from, to: name === 'follow' ? Number.POSITIVE_INFINITY : spent })
    }
    for (const event of list) {
      const { name, key, call, at } = event
      if (key === undefined || call === undefined) continue
      const id = `${call} ${key}`
      const open = going.get(id)
      if (name === 'refresh') {
        if (open !== undefined) end(open)
        going.set(id, { key, from: at, last: event })
      } else if (open !== undefined) open.last = event
    }
    for (const one of going.values()) end(one)
  }
  return found
}

/** By process and subject: when the instance heard of an invalidation of another one; and of its inbox, that it changed. */
function cutsOf({ events }: Model): ReadonlyMap<string, readonly number[]> {
  const cuts = new Map<string, number[]>()
  for (const [process, list] of events) {
    for (const { name, at, keys = [], tags = [] } of list) {
      if (name !== 'invalidate' && name !== 'clear' && name !== 'inbox') continue
      const subjects =
        name === 'inbox'
          ? [name]
          : name === 'clear'
            ? ['all']
            : [...keys.map((key) => `key ${key}`), ...tags.map((tag) => `tag ${tag}`)]
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
