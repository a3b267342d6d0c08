import { ALL, type Read } from '../history.ts'
import { mayHaveChanged } from './changes.ts'
import type { Model, Run } from './model.ts'
import type { Violation } from './violation.ts'

/** Leases from here on, ms, outlive a busy machine: who loses such a flight must have a reason. */
const LONG_LEASE = 2000

/**
 * I1, I2, and `seen`.
 *
 * - A flight whose end was confirmed was held from its claim on, so at least from when its loader began until that
 *   returned. Two of one key must not overlap (I1).
 * - A long lease is renewed many times before it ends. Who is fenced had it taken away: by a write, an invalidation, an
 *   eviction, or a fault. If there was none, two led at once (I1).
 * - What is stored carries the stamp of the flight whose loader made it, and no loader without a flight is stored (I2).
 *   After its leader was told that it is fenced it is not stored at all; nor is what a set said it has not stored.
 * - Of two flights the first stored its value, or its error. Unless that was removed or ran out, the second one's claim found an entry
 *   which its instance could not have seen before (it would have been a hit): it must not have led.
 */
export function leadership(model: Model): Violation[] {
  return [...overlaps(model), ...fencedWithoutReason(model), ...unledEntries(model)]
}

function overlaps(model: Model): Violation[] {
  const found: Violation[] = []
  for (const runs of endedByKey(model).values()) {
    let longest: Run | undefined
    for (const run of runs) {
      const at = run.record.at
      if (longest !== undefined && at < longest.loadedAt) {
        const text = `${name(run)} began at ${at.toFixed(1)}, and ${name(longest)} held the key until ${longest.loadedAt.toFixed(1)}`
        found.push({ rule: 'I1', at, text })
      } else if (longest !== undefined && isNeedless(model, longest, run)) {
        const text = `${name(run)} led at ${at.toFixed(1)}, beside the entry of ${name(longest)}, which returned at ${longest.loadedAt.toFixed(1)}`
        found.push({ rule: 'seen', at, text, key: run.record.key })
      }
      if (longest === undefined || run.loadedAt > longest.loadedAt) longest = run
    }
  }
  return found
}

/** ms by which the clocks of two instances may differ. */
const CLOCKS = 20

/** Whether the entry of the first must have been there when the second claimed. */
function isNeedless(model: Model, first: Run, second: Run): boolean {
  const { key, ttl: said, errorTtl = 0, early } = first.record
  if (first.ended !== 'publish' || second.record.forced || early) return false
  const ttl = first.how === 'error' ? errorTtl : said
  const [from, to] = [first.loadedAt, second.record.at]
  // Half of its life: clocks and timers are not that far apart, and it has no more jitter. What keeps it fresh begins just then, by a
  // clock of its own.
  if (ttl !== null && to - from > ttl / 2 - (second.record.kept ? CLOCKS : 0)) return false
  return !mayHaveChanged(model, key, from, to)
}

function fencedWithoutReason(model: Model): Violation[] {
  const found: Violation[] = []
  for (const run of model.flights.values()) {
    const { key, at } = run.record
    if (run.fencedAt === Number.POSITIVE_INFINITY || (model.history.keys[key]?.lease ?? 0) < LONG_LEASE) continue
    const [from, to] = [at - 1000, run.fencedAt]
    if (mayHaveChanged(model, key, from, to) || model.faults(from, to).some(isFelt(run.process))) continue
    found.push({ rule: 'I1', at: to, text: `${name(run)} was fenced at ${to.toFixed(1)}, and nothing took its flight` })
  }
  return found
}

function isFelt(process: string): (fault: { readonly target: string }) => boolean {
  return ({ target }) => target === ALL || target === process
}

function unledEntries(model: Model): Violation[] {
  const found: Violation[] = []
  for (const { process, record, outcome } of model.calls) {
    if (outcome?.type !== 'got' || !FROM_REDIS.has(record.op)) continue
    for (const id of outcome.values) {
      const value = id === null ? undefined : model.values.get(id)
      if (value?.kind !== 'load' || value.token !== null) continue
      const text = `${record.op} of ${process} read ${value.key} as ${value.id} made it, which was computed without a flight`
      found.push({ rule: 'I2', at: record.at, text })
    }
  }
  for (const { key, value, stamp, first, last } of model.history.sightings) {
    const say = (what: string) => {
      found.push({
        rule: 'I2',
        at: last,
        text: `Redis has ${key} as ${value.id} made it, from ${first.toFixed(1)} on: ${what}`,
      })
    }
    if (value.kind === 'set') {
      if (model.setOf(value) === 'no') say('the set said that it lost')
      continue
    }
    if (value.token === null) say('it was computed without a flight')
    else if (stamp !== value.token) say(`its flight was ${value.token}, its stamp is ${stamp}`)
    const run = model.flights.get(value.token ?? '')
    if (run !== undefined && last > run.fencedAt) say(`its leader was fenced at ${run.fencedAt.toFixed(1)}`)
  }
  return found
}

/** Reads of what is stored, and of nothing else. */
const FROM_REDIS: ReadonlySet<string> = new Set<Read>(['get', 'entry', 'getMany'])

/** Runs whose flight's end was confirmed, by key, in order. */
function endedByKey({ flights }: Model): ReadonlyMap<string, readonly Run[]> {
  const byKey = new Map<string, Run[]>()
  for (const run of flights.values()) {
    if (run.ended === undefined) continue
    const runs = byKey.get(run.record.key) ?? []
    byKey.set(run.record.key, runs)
    runs.push(run)
  }
  for (const runs of byKey.values()) runs.sort((a, b) => a.record.at - b.record.at)
  return byKey
}

function name({ process, record }: Run): string {
  return `${record.run} of ${process} (${record.key}, ${record.token})`
}
