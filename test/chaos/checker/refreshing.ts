import { mayHaveChanged } from './changes.ts'
import type { Model, Run } from './model.ts'
import type { Violation } from './violation.ts'

/** Leases from here on, ms, outlive a busy machine: who loses such a flight must have a reason. */
const LONG_LEASE = 2000
/** ms that an instance rests after a refresh that failed, at least: a second, and a quarter less by chance. */
const REST = 750
/** ms by which timers and clocks differ. */
const MARGIN = 50

/**
 * `refresh` and `rest`: what is stale is refreshed by one instance at a time, and not over and over where that fails.
 *
 * - While a loader runs that leads a flight of a key nobody begins to refresh the key. Judged where the lease is long, nothing
 *   was written, invalidated or evicted, and neither of both processes nor the store was in trouble (`refresh`). A refresh
 *   without a flight is one too many as well, beside another one.
 * - After its loader has failed an instance does not begin to refresh the key again for 750 ms, unless somebody has stored
 *   something meanwhile. What keeps a key fresh has times of its own (`rest`).
 *
 * That what was stored is not computed anew before its time is `seen`.
 */
export function refreshing(model: Model): Violation[] {
  const found: Violation[] = []
  for (const [key, runs] of runsByKey(model)) {
    found.push(...together(model, key, runs), ...restless(model, key, runs))
  }
  return found
}

function together(model: Model, key: string, runs: readonly Run[]): Violation[] {
  if ((model.history.keys[key]?.lease ?? 0) < LONG_LEASE) return []
  const found: Violation[] = []
  /** Those that may be going on. */
  let open: Run[] = []
  for (const run of runs) {
    const { at, forced } = run.record
    open = open.filter(({ loadedAt }) => loadedAt > at)
    const first = run.record.refresh && !forced ? open.find((one) => isAlone(model, key, one, run)) : undefined
    if (first !== undefined) {
      const text = `${name(run)} began to refresh it at ${at.toFixed(1)}, while ${name(first)}, begun at ${first.record.at.toFixed(1)}, was at it`
      found.push({ rule: 'refresh', at, text })
    }
    open.push(run)
  }
  return found
}

/** Whether nothing explains that the second runs beside the first. */
function isAlone(model: Model, key: string, first: Run, second: Run): boolean {
  const { token, refresh, forced } = first.record
  if (forced || (token === null && !refresh)) return false
  // A claim, and what was wrong before it.
  const [from, to] = [first.record.at - 1000, second.record.at]
  if (!model.quiet(first.process, from, to) || !model.quiet(second.process, from, to)) return false
  return first.fencedAt > to && !mayHaveChanged(model, key, from, to)
}

function restless(model: Model, key: string, runs: readonly Run[]): Violation[] {
  const found: Violation[] = []
  const failed = new Map<string, Run>()
  const ends = runs.filter(({ how }) => how === 'error').sort((a, b) => a.loadedAt - b.loadedAt)
  let next = 0
  for (const run of runs) {
    const { at, refresh, kept } = run.record
    for (let end = ends[next]; end !== undefined && end.loadedAt <= at; end = ends[++next]) {
      if (end.record.refresh && !end.record.kept) failed.set(end.process, end)
    }
    const last = failed.get(run.process)
    if (!refresh || kept || last === undefined || at - last.loadedAt >= REST - MARGIN) continue
    const stored = runs.some(
      ({ how, loadedAt }) => how === 'value' && loadedAt >= last.record.at - 1000 && loadedAt <= at,
    )
    if (stored || mayHaveChanged(model, key, last.record.at, at)) continue
    const text = `${name(run)} began to refresh it at ${at.toFixed(1)}, though ${name(last)} had failed at ${last.loadedAt.toFixed(1)}`
    found.push({ rule: 'rest', at, text })
  }
  return found
}

/** In order of time. */
function runsByKey({ runs }: Model): ReadonlyMap<string, readonly Run[]> {
  const byKey = new Map<string, Run[]>()
  for (const run of runs) {
    const line = byKey.get(run.record.key)
    if (line === undefined) byKey.set(run.record.key, [run])
    else line.push(run)
  }
  for (const line of byKey.values()) line.sort((a, b) => a.record.at - b.record.at)
  return byKey
}

function name({ process, record }: Run): string {
  return `${record.run} of ${process} (${record.key}, ${record.token ?? 'without a flight'})`
}
