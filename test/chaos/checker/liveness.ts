import type { EventRecord } from '../history.ts'
import { LONG_FLIGHT } from '../keyPlan.ts'
import { countBelow } from './barriers.ts'
import type { Call, Model } from './model.ts'
import type { Violation } from './violation.ts'

/** ms: no call takes longer, whatever happens: its wait limit, twice, loaders that hang, and budgets of commands. */
const CALL_LIMIT = 15_000
/** ms: where loaders wait for a place too, the longest wait limit that a key has, and its own loader after that. */
const QUEUED_LIMIT = 2 * LONG_FLIGHT + 5000
/** ms after its own abort in which a call must end: a look at the store is waited for. */
const ABORT_LIMIT = 2000
/** ms of a busy machine, within which a follower that is told goes on. */
const MARGIN = 1500

/**
 * I5 and I6. Time that a process was paused, or its event loop stood still, does not count.
 *
 * - Every call of a process that was not killed ends, within the limits above (I5).
 * - A follower learns that its flight has ended, where nothing hinders: it does not wait for the lease (I5).
 * - Of a leader that was killed one of those who wait takes over, within the lease and a margin (I6). That no second one
 *   does beside it is I1.
 */
export function liveness(model: Model): Violation[] {
  const progress = createProgress(model)
  return [...endless(model), ...untold(model, progress), ...orphaned(model, progress)]
}

/** How long it took, without the time that its process stood still. */
export function durationOf(model: Model, { process, record, end }: Call): number {
  return end - record.at - model.standstill(process, record.at, end)
}

function endless(model: Model): Violation[] {
  const killed = new Set(
    model.history.processes.filter(({ killedAt }) => killedAt !== undefined).map(({ name }) => name),
  )
  const found: Violation[] = []
  for (const call of model.calls) {
    const { process, record, end, abortedAt } = call
    const what = `${record.op} of ${process} for ${record.keys.join() || record.tags?.join() || 'all'}`
    if (end === Number.POSITIVE_INFINITY) {
      if (!model.history.complete || killed.has(process)) continue
      found.push({ rule: 'I5', at: record.at, text: `${what}, begun at ${record.at.toFixed(1)}, did not end` })
      continue
    }
    // Looking for standstills costs more than the subtraction.
    const limit = record.keys.some((key) => model.history.keys[key]?.limited === true) ? QUEUED_LIMIT : CALL_LIMIT
    if (end - record.at > limit && durationOf(model, call) > limit) {
      found.push({ rule: 'I5', at: record.at, text: `${what} took ${durationOf(model, call).toFixed(0)} ms` })
    }
    const late = abortedAt === undefined ? 0 : end - abortedAt - model.standstill(process, abortedAt, end)
    if (late > ABORT_LIMIT)
      found.push({ rule: 'I5', at: record.at, text: `${what} ended ${late.toFixed(0)} ms after its abort` })
  }
  return found
}

/** Those who followed a flight of which the store confirmed that it told its end. */
function untold(model: Model, progress: Progress): Violation[] {
  const found: Violation[] = []
  for (const wait of waitsOf(model)) {
    const { process, key, token, at } = wait
    const run = model.flights.get(token)
    if (run?.ended === undefined) continue
    // It waits for this flight, so its claim ran before the end, however late it heard so: no fault loses an end that was confirmed.
    const limit = Math.max(run.endedAt, at) + MARGIN
    const hindered = !model.quiet(process, Math.min(run.endedAt, at), limit)
    if (progress.goesOnBy(wait, limit) || model.horizon(process) < limit || hindered) continue
    const text = `${process} followed ${token} of ${key} from ${at.toFixed(1)}, which ended at ${run.endedAt.toFixed(1)}, and had not gone on ${MARGIN} ms later`
    found.push({ rule: 'I5', at: limit, text })
  }
  return found
}

/** Those who followed a leader that was killed. */
function orphaned(model: Model, progress: Progress): Violation[] {
  const killedAt = new Map(model.history.processes.map(({ name, killedAt }) => [name, killedAt]))
  const found: Violation[] = []
  for (const wait of waitsOf(model)) {
    const { process, key, token, at } = wait
    const run = model.flights.get(token)
    const died = run && killedAt.get(run.process)
    if (run === undefined || died === undefined || run.loadedAt < died || at > died + MARGIN) continue
    const limit = Math.max(died, at) + (model.history.keys[key]?.lease ?? 0) + MARGIN
    if (progress.goesOnBy(wait, limit) || model.horizon(process) < limit || !model.quiet(process, at, limit)) continue
    const text = `${process} followed ${token} of ${key}, whose leader ${run.process} was killed at ${died.toFixed(1)}, and nobody had taken over at ${limit.toFixed(1)}`
    found.push({ rule: 'I6', at: limit, text })
  }
  return found
}

interface Wait {
  readonly process: string
  /** Whose flight it is that waits: the call that opened it. */
  readonly call: number
  readonly key: string
  readonly token: string
  readonly at: number
}

function waitsOf({ events }: Model): Wait[] {
  return [...events].flatMap(([process, list]) =>
    list.flatMap(({ name, key, token, call, at }) => {
      if (name !== 'follow' || key === undefined || token === undefined || call === undefined) return []
      return [{ process, call, key, token, at }]
    }),
  )
}

/** Whether who waits went on: with its next event, or because the call that opened the flight ended or left it. */
interface Progress {
  goesOnBy(wait: Wait, limit: number): boolean
}

function createProgress({ events, calls }: Model): Progress {
  const steps = new Map<string, number[]>()
  for (const [process, list] of events) {
    for (const { call, at } of list) {
      if (call === undefined) continue
      const line = steps.get(`${process} ${call}`)
      if (line === undefined) steps.set(`${process} ${call}`, [at])
      else line.push(at)
    }
  }
  const ends = new Map(calls.map(({ process, record, end }) => [`${process} ${record.call}`, end]))

  return {
    goesOnBy({ process, call, at }, limit) {
      const name = `${process} ${call}`
      const line = steps.get(name) ?? []
      let next = countBelow(line, at)
      // The wait itself is one.
      while (line[next] === at) next++
      return Math.min(line[next] ?? Number.POSITIVE_INFINITY, ends.get(name) ?? at) <= limit
    },
  }
}

/** How many runs took over from a leader whose lease had run out, and how many ends were fenced. */
export function countEvents({ events }: Model, name: EventRecord['name']): number {
  return [...events.values()].reduce((sum, list) => sum + list.filter((event) => event.name === name).length, 0)
}
