import { READS } from '../history.ts'
import type { Model } from './model.ts'

/** ms in which what was sent before a fault may still come, or a write that was not confirmed: no fault holds it longer. */
export const LATE = 3000

/** Whether something may have removed or replaced what is stored, or the flight. */
export function mayHaveChanged(model: Model, key: string, from: number, to: number): boolean {
  const forgets = model.faults(from - LATE, to).some(({ kind, keys, at, end }) => {
    // What a killed process sent last nobody knows.
    if (kind === 'kill') return true
    return FORGETTING.has(kind) && at <= to && end >= from && (keys === undefined || keys.includes(key))
  })
  return forgets || writesOf(model, key).some((write) => write.at <= to && write.end >= from)
}

/** Faults after which Redis has less than before. */
const FORGETTING: ReadonlySet<string> = new Set([
  'evict',
  'flush',
  'restartRedis',
  'handOver',
  'failOver',
  'standStill',
  'moveSlot',
])

const writes = new WeakMap<Model, Map<string, { at: number; end: number }[]>>()

/** When writes and invalidations were under way that may have been of this key. */
export function writesOf(model: Model, key: string): readonly { at: number; end: number }[] {
  const known = writes.get(model) ?? new Map<string, { at: number; end: number }[]>()
  writes.set(model, known)
  const list = known.get(key)
  if (list !== undefined) return list
  const tags = model.history.keys[key]?.tags ?? []
  const found = model.calls
    .filter(({ record }) => {
      if (READS.has(record.op)) return false
      // Its index may have the key from a time when its value had other tags.
      return record.op === 'clear' || record.keys.includes(key) || record.tags?.some((tag) => tags.includes(tag))
    })
    .map(({ record, end, outcome }) => ({ at: record.at, end: outcome?.type === 'failed' ? end + LATE : end }))
  // What a leader was to replace is removed where its own value is not to be stored.
  for (const { record, ended, endedAt } of model.runs) {
    if (record.key === key && ended === 'share') found.push({ at: endedAt, end: endedAt + LATE })
  }
  known.set(key, found)
  return found
}
