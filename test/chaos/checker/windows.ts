import type { Read, Value } from '../history.ts'
import { LATE } from './changes.ts'
import type { Call, Model } from './model.ts'
import type { Violation } from './violation.ts'

/** ms of a busy machine: till an entry is made and stored, and by which clocks differ. */
const MARGIN = 1000

/**
 * `window`: what is answered is not older than it may be.
 *
 * An entry is made after its loader has returned, and within a margin; of a set, before that has returned. It is younger
 * than its ttl and the longer of its windows when it is looked at, and so when the call began that got it, which looks, or
 * joins what is open. So no such call began
 *
 * - after its ttl, the longer of its windows, and a margin; with `get` and `getMany`, which give only what is fresh, after its
 *   ttl and a margin;
 * - after its ttl, its `staleWhileRevalidate` and a margin, unless there was an outage: a loader of the key has failed since,
 *   or a caller in the same instance was already waiting for as long as some wait for something better than stale;
 *
 * and no call gets an error that began later than its `errorTtl` and a margin after it was thrown.
 *
 * What is not stored is told, and an entry without windows is measured by Redis from when it came there: where anything is
 * wrong with one of both processes, that may be as late as anything may come.
 */
export function windows(model: Model): Violation[] {
  const found: Violation[] = []
  const outages = outagesOf(model)
  const hurried = hurriedOf(model)

  function marginOf(owner: string, doneAt: number, { process, record }: Call): number {
    const quiet = model.quiet(owner, doneAt, doneAt + MARGIN) && model.quiet(process, doneAt, record.at)
    return quiet ? MARGIN : LATE + MARGIN + model.standstill(owner, doneAt, doneAt + LATE)
  }

  function judge(call: Call, value: Value): void {
    const { process, record, end } = call
    const { op, at } = record
    const { ttl, staleWhileRevalidate, staleIfError } = value.lasts
    // Of a set that was not confirmed nobody knows when it came.
    const doneAt = value.kind === 'load' ? value.done : model.doneBy(value)
    if (ttl === null || at <= doneAt + ttl) return
    const age = at - doneAt
    const longest = FRESH.has(op) ? 0 : Math.max(staleWhileRevalidate, staleIfError)
    const patience = () => ttl + marginOf(ownerOf(value.id), doneAt, call)
    const say = (why: string) => {
      const text = `${op} of ${process} got ${value.key} as ${value.id} made it, ${age.toFixed(0)} ms after it was done: ${why}`
      found.push({ rule: 'window', at, text })
    }
    if (age > ttl + longest + MARGIN && age > patience() + longest) {
      say(`it was of use for ${ttl} and ${longest} ms`)
    } else if (ASKING.has(op) && age > ttl + staleWhileRevalidate + MARGIN && age > patience() + staleWhileRevalidate) {
      if (failedBetween(outages.get(value.key), doneAt, end) || wasHurried(hurried, model, call, value.key)) return
      say(`it was stale after ${ttl} and ${staleWhileRevalidate} ms, and nothing had failed`)
    }
  }

  for (const call of model.calls) {
    const { process, record, outcome } = call
    if (outcome?.type === 'failed' && outcome.run !== undefined) {
      const run = model.run(outcome.run)
      if (run === undefined || run.loadedAt === Number.POSITIVE_INFINITY) continue
      const limit = run.record.errorTtl ?? 0
      const age = record.at - run.loadedAt
      if (age <= limit + MARGIN || age <= limit + marginOf(run.process, run.loadedAt, call)) continue
      const text = `${record.op} of ${process} got the error of ${outcome.run}, ${age.toFixed(0)} ms after it was thrown: it is stored for ${limit} ms`
      found.push({ rule: 'window', at: record.at, text })
    }
    if (outcome?.type !== 'got' || record.sets !== undefined) continue
    for (const id of outcome.values) {
      const value = id === null ? undefined : model.values.get(id)
      if (value !== undefined) judge(call, value)
    }
  }
  return found
}

/** Reads that give only what is fresh. */
const FRESH: ReadonlySet<string> = new Set<Read>(['get', 'getMany'])
/** Reads that give what is stale after its first window only in the place of something that did not come. */
const ASKING: ReadonlySet<string> = new Set<Read>(['getOrSet', 'getOrSetMany', 'claim'])

/** `B2:load:17`: B2. */
function ownerOf(id: string): string {
  return id.slice(0, Math.max(0, id.indexOf(':')))
}

/** By key: when its loaders failed, anywhere. */
function outagesOf({ runs }: Model): ReadonlyMap<string, readonly number[]> {
  const outages = new Map<string, number[]>()
  for (const { record, how, loadedAt } of runs) {
    if (how !== 'error') continue
    const line = outages.get(record.key)
    if (line === undefined) outages.set(record.key, [loadedAt])
    else line.push(loadedAt)
  }
  return outages
}

function failedBetween(outages: readonly number[] = [], from: number, to: number): boolean {
  return outages.some((at) => at >= from && at <= to)
}

/** By process and key: calls that waited for as long as the first takes something stale instead. */
function hurriedOf({ calls, history: { hurry } }: Model): ReadonlyMap<string, readonly Call[]> {
  const hurried = new Map<string, Call[]>()
  if (hurry === undefined) return hurried
  for (const call of calls) {
    const { process, record, end } = call
    if (!ASKING.has(record.op) || end - record.at < hurry / 2) continue
    for (const key of record.keys) {
      const name = `${process} ${key}`
      const line = hurried.get(name)
      if (line === undefined) hurried.set(name, [call])
      else line.push(call)
    }
  }
  return hurried
}

/** Whether one of the instance had been waiting when this one was answered: who comes while it goes on need not wait. */
function wasHurried(
  hurried: ReadonlyMap<string, readonly Call[]>,
  { history: { hurry = 0 } }: Model,
  { process, end }: Call,
  key: string,
): boolean {
  return (hurried.get(`${process} ${key}`) ?? []).some(({ record }) => record.at + hurry / 2 <= end)
}
