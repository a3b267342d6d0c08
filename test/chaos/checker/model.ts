import {
  ALL,
  type CallRecord,
  type EndRecord,
  type EventRecord,
  type Fault,
  type History,
  type LoadRecord,
  type Outcome,
  type ProcessHistory,
  type Value,
} from '../history.ts'
import { countBelow } from './barriers.ts'

/** A history, put together: calls with their ends, runs with what became of them. */
export interface Model {
  readonly history: History
  readonly calls: readonly Call[]
  readonly values: ReadonlyMap<string, Value>
  readonly runs: readonly Run[]
  /** By the id of its value. */
  run(id: string): Run | undefined
  /** Those that led a flight, by its token. */
  readonly flights: ReadonlyMap<string, Run>
  /** By process, in order of time. */
  readonly events: ReadonlyMap<string, readonly EventRecord[]>
  /** When the last record of a process was written. */
  horizon(process: string): number
  /**
   * When all of the value's computation was over for certain; what began later came after it. `Infinity`: it may have
   * been stored at any time, as what a set stores that was not confirmed.
   */
  doneBy(value: Value): number
  /** `no`: the set said that a later invalidation won. */
  setOf(value: Value): 'yes' | 'no' | 'unknown'
  /** Whether nothing happened between the two instants that could keep a process from hearing, or Redis from answering. */
  quiet(process: string, from: number, to: number): boolean
  /** ms between the two instants in which the process did not run. */
  standstill(process: string, from: number, to: number): number
  /** ms that the memory tier of the process keeps a value at most; `undefined`: it has none. */
  memory(process: string): number | undefined
  /** Faults between the two instants. */
  faults(from: number, to: number): readonly Fault[]
}

export interface Call {
  readonly process: string
  readonly record: CallRecord
  /** `Infinity`: it never ended, as far as is known. */
  readonly end: number
  readonly outcome: Outcome | undefined
  readonly abortedAt: number | undefined
}

/** A run of a loader, or of who claimed by hand. */
export interface Run {
  readonly process: string
  readonly record: LoadRecord
  /** When it returned. */
  loadedAt: number
  how: 'value' | 'error' | undefined
  /**
   * The store confirmed that it ended the flight with its value, which was sent after `loadedAt`: till then it held the
   * flight. (A flight is given back at any time.)
   */
  ended: 'publish' | 'share' | undefined
  endedAt: number
  /** When it learnt that it had lost its flight. */
  fencedAt: number
}

const STANDSTILLS: ReadonlySet<string> = new Set(['pause', 'stall'])

/** What a process says of a store that it does not reach. */
const UNQUIET: ReadonlySet<EventRecord['name']> = new Set(['inbox', 'breaker', 'storeFault'])

const NEVER = Number.POSITIVE_INFINITY
/** ms around a fault in which what it did may still be felt: connections are made anew, the inbox is subscribed. */
const BEFORE = 50
const AFTER = 1000

export function modelOf(history: History): Model {
  const calls: Call[] = []
  const values = new Map<string, Value>()
  const runs = new Map<string, Run>()
  const flights = new Map<string, Run>()
  const events = new Map<string, EventRecord[]>()
  const horizons = new Map<string, number>()
  const troubles: Fault[] = [...history.faults]

  for (const process of history.processes) read(process)

  function read({ name, records }: ProcessHistory): void {
    const open = new Map<number, CallRecord>()
    const told: EventRecord[] = []
    let horizon = 0
    for (const record of records) {
      if ('at' in record) horizon = Math.max(horizon, record.at)
      switch (record.type) {
        case 'call':
          open.set(record.call, record)
          break
        case 'end': {
          const call = open.get(record.call)
          open.delete(record.call)
          if (call !== undefined) calls.push(callOf(name, call, record))
          break
        }
        case 'value':
          values.set(record.value.id, record.value)
          break
        case 'load': {
          const run = { process: name, record, ended: undefined, how: undefined }
          const begun: Run = { ...run, loadedAt: NEVER, endedAt: NEVER, fencedAt: NEVER }
          runs.set(record.run, begun)
          if (record.token !== null) flights.set(record.token, begun)
          break
        }
        case 'loaded': {
          const run = runs.get(record.run)
          if (run !== undefined) Object.assign(run, { loadedAt: record.at, how: record.how })
          break
        }
        case 'event':
          told.push(record)
          tell(record)
          break
        case 'trouble':
          troubles.push({ kind: record.name, at: record.from, end: record.at, target: name })
          break
        default:
          record satisfies never
      }
    }
    for (const call of open.values()) calls.push(callOf(name, call, undefined))
    events.set(name, told)
    horizons.set(name, horizon)
  }

  function tell({ name, token, at }: EventRecord): void {
    const run = token === undefined ? undefined : flights.get(token)
    if (run === undefined) return
    if (name === 'publish' || name === 'share') Object.assign(run, { ended: name, endedAt: at })
    if (name === 'fenced') run.fencedAt = Math.min(run.fencedAt, at)
  }

  // Sightings are of values that no process need have read.
  for (const { value } of history.sightings) values.set(value.id, value)
  const sets = setsOf(calls)
  const faults = (from: number, to: number) => troubles.filter(({ at, end }) => at <= to && end >= from)

  const memories = new Map(history.processes.map(({ name, memory }) => [name, memory]))

  const unquiet = new Map(
    [...events].map(([name, list]) => {
      const instants = list.flatMap((event) => (UNQUIET.has(event.name) ? event.at : []))
      return [name, instants.sort((a, b) => a - b)] as const
    }),
  )

  function standstill(process: string, from: number, to: number): number {
    let total = 0
    let counted = from
    const stops = faults(from, to).filter(({ kind, target }) => target === process && STANDSTILLS.has(kind))
    for (const { at, end } of stops.sort((a, b) => a.at - b.at)) {
      const until = Math.min(end, to)
      total += Math.max(0, until - Math.max(at, counted))
      counted = Math.max(counted, until)
    }
    return total
  }

  return {
    history,
    calls,
    standstill,
    memory: (process) => memories.get(process),
    values,
    runs: [...runs.values()],
    run: (id) => runs.get(id),
    flights,
    events,
    horizon: (process) => horizons.get(process) ?? 0,
    doneBy(value) {
      if (value.kind === 'load') return value.began
      const set = sets.get(value.id)
      return set?.said === 'yes' ? set.end : NEVER
    },
    setOf: (value) => sets.get(value.id)?.said ?? 'unknown',
    faults,
    quiet(process, from, to) {
      if (faults(from - AFTER, to + BEFORE).some(({ target }) => target === ALL || target === process)) return false
      const line = unquiet.get(process) ?? []
      const next = line[countBelow(line, from - AFTER)]
      return next === undefined || next > to + BEFORE
    },
  }
}

function callOf(process: string, record: CallRecord, end: EndRecord | undefined): Call {
  return { process, record, end: end?.at ?? NEVER, outcome: end?.outcome, abortedAt: end?.abortedAt }
}

/** What became of the values that were set directly. */
function setsOf(calls: readonly Call[]): ReadonlyMap<string, { readonly said: 'yes' | 'no'; readonly end: number }> {
  const sets = new Map<string, { said: 'yes' | 'no'; end: number }>()
  for (const { record, outcome, end } of calls) {
    if (record.sets === undefined || outcome?.type !== 'got') continue
    for (const [i, id] of record.sets.entries()) sets.set(id, { said: outcome.values[i] === 'yes' ? 'yes' : 'no', end })
  }
  return sets
}
