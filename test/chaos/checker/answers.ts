import type { Model } from './model.ts'
import type { Violation } from './violation.ts'

/**
 * I7, I10, and `unhandled`.
 *
 * - No call fails because of the store, but writes and invalidations, which say that they are not confirmed.
 * - What is had for a key was made for that key, and for its scope.
 */
export function answers(model: Model): Violation[] {
  const found: Violation[] = []
  for (const { process, record, outcome } of model.calls) {
    const { op, at, keys } = record
    if (outcome?.type === 'failed' && !outcome.allowed) {
      found.push({ rule: 'I7', at, text: `${op} of ${process} for ${keys.join() || 'all'} failed: ${outcome.error}` })
    }
    if (outcome?.type !== 'got' || record.sets !== undefined) continue
    for (const [i, id] of outcome.values.entries()) {
      const said = id === null ? undefined : strangerTo(model, keys[i] as string, model.values.get(id))
      if (said !== undefined) found.push({ rule: 'I10', at, text: `${op} of ${process} got ${said}` })
    }
  }
  for (const { key, value, last } of model.history.sightings) {
    const said = strangerTo(model, key, value)
    if (said !== undefined) found.push({ rule: 'I10', at: last, text: `Redis has ${said}` })
  }
  for (const { name, records } of model.history.processes) {
    for (const record of records) {
      if (record.type !== 'trouble' || record.name !== 'unhandled') continue
      found.push({ rule: 'unhandled', at: record.at, text: `${name}: ${record.text}` })
    }
  }
  return found
}

function strangerTo(
  { history }: Model,
  key: string,
  value: { readonly key: string; readonly scope: string | null; readonly id: string } | undefined,
): string | undefined {
  if (value === undefined || (value.key === key && value.scope === history.keys[key]?.scope)) return undefined
  return `what ${value.id} made for ${value.key} (scope ${value.scope}), under ${key}`
}
