import { countEvents, durationOf } from './checker/liveness.ts'
import type { Chaos } from './run.ts'

/** So many violations are told in full. */
const TOLD = 20

/** What befell the run itself on a busy machine. */
const UNINTENDED: ReadonlySet<string> = new Set(['stall', 'slow'])

/** What a run came to, one line each. */
export function reportOf({ model, violations, looks, events }: Chaos): string[] {
  const { calls, runs, history } = model
  const ended = calls.filter(({ end }) => end !== Number.POSITIVE_INFINITY)
  const longest = ended.reduce((most, call) => {
    return call.end - call.record.at > most ? Math.max(most, durationOf(model, call)) : most
  }, 0)
  const faults = history.faults.map(({ kind }) => kind).filter((kind) => !UNINTENDED.has(kind))
  return [
    `operations: ${calls.length} (${tally(calls.map(({ record }) => record.op))})`,
    `faults: ${faults.length} (${tally(faults)})`,
    `loader runs: ${runs.length}`,
    `takeovers: ${countEvents(model, 'takeover')}`,
    `fenced ends: ${countEvents(model, 'fenced')}`,
    `hits of memory: ${events.memoryHit ?? 0}`,
    `stale answers: ${events.stale ?? 0}`,
    `refreshes: ${events.refresh ?? 0}`,
    `waits for a place: ${events.queue ?? 0}`,
    `looks into Redis: ${looks}, which saw ${history.sightings.length} entries`,
    `longest wait: ${longest.toFixed(0)} ms`,
    `violations: ${violations.length}${violations.length === 0 ? '' : ` (${tally(violations.map(({ rule }) => rule))})`}`,
    ...violations.slice(0, TOLD).map(({ rule, text }) => `  ${rule}: ${text}`),
  ]
}

/** `ask 12, get 3`: how often each is there, the most frequent first. */
function tally(names: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')
}
