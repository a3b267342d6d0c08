import { inspect } from 'node:util'
import type { History, ProcessRecord } from './history.ts'

/** ms before a violation, and after it, of which all is told. */
const BEFORE = 3000
const AFTER = 300

/** All that is known of a key around an instant, of all processes, in order of time: one line each. */
export function surroundingsOf({ processes, faults, sightings }: History, key: string, at: number): string[] {
  const isNear = (instant: number) => instant > at - BEFORE && instant < at + AFTER
  const lines: { readonly at: number; readonly text: string }[] = []
  const say = (instant: number, who: string, what: object) => {
    lines.push({ at: instant, text: `${who} ${inspect(what, { breakLength: Number.POSITIVE_INFINITY, depth: 4 })}` })
  }
  for (const { name, records } of processes) {
    const calls = new Set<number>()
    for (const record of records) {
      if (!('at' in record) || !isNear(record.at)) continue
      if (isAbout(record, key, calls)) say(record.at, name, record)
    }
  }
  for (const fault of faults) if (fault.at < at + AFTER && fault.end > at - BEFORE) say(fault.at, 'fault', fault)
  for (const sighting of sightings)
    if (sighting.key === key && isNear(sighting.last)) say(sighting.first, 'Redis has', sighting)
  return lines.sort((a, b) => a.at - b.at).map((line) => `${line.at.toFixed(1)} ${line.text}`)
}

function isAbout(record: ProcessRecord, key: string, calls: Set<number>): boolean {
  switch (record.type) {
    case 'call':
      if (record.keys.includes(key) || record.tags !== undefined || record.op === 'clear') calls.add(record.call)
      return calls.has(record.call)
    case 'end':
      return calls.has(record.call)
    case 'load':
      return record.key === key
    case 'loaded':
      return true
    case 'event':
      return record.key === key || record.keys !== undefined || record.tags !== undefined || record.name === 'inbox'
    default:
      return true
  }
}
