import { LOOK_LIMIT, type Value } from '../history.ts'
import { type Barrier, createBarriers, type Subject } from './barriers.ts'
import type { Call, Model } from './model.ts'
import { createOpenings } from './openings.ts'
import type { Violation } from './violation.ts'

/**
 * I3 and I4: nothing from before a completed invalidation is had after it.
 *
 * A value is of before where its loader began before the invalidation was called; or where the origin's version that it
 * was made of is older than the one that was current before that call. A direct set is of before only where it was
 * confirmed before the call: of two changes that are under way at once the store decides, and one that was not confirmed
 * may still come.
 *
 * - In the same instance (I4): no call that began after the invalidation had returned may get such a value.
 * - From Redis itself, and by `getMany`, which asks Redis by itself (I3): nobody may see it who asks after that.
 * - Where an instance has a memory tier, `getMany` may have what that got before, for as long as its ttl (I3).
 * - By other calls in other instances (I3): they may join a flight, or a look, that was opened before; such a one is let
 *   go of when the instance hears of the invalidation, which may be late. So they are judged by when what they may have
 *   joined was opened at the earliest (openings.ts): if that was after the invalidation had returned, so was its first
 *   command.
 * - An error of a loader, which may be stored too, is of before as a value is that was made by the same run. Which tags it
 *   has is not known.
 *
 * A stale value is no exception, also in the place of an error: whoever gets it has looked since it asked.
 *
 * Nearly nothing excuses: a Redis that restarts empty or is flushed has neither entries nor flights any more, and evicted
 * entries and flights can only be missed; index, epoch and clock of tags are never evicted here, and no fail-over loses a
 * write, because a master confirms none from before it is replaced until whoever hears of that has left it (cluster.ts, sentinel.ts):
 * so nothing is forgiven that was lost. But where a master hands over to its replica it may answer reads for a moment without knowing it: what is read
 * while that goes on may lack the invalidations that returned meanwhile.
 */
export function staleness(model: Model): Violation[] {
  const barriers = createBarriers(model.calls)
  const openings = createOpenings(model)
  const handOvers = model.history.faults.filter(({ kind }) => kind === 'handOver')
  const found: Violation[] = []

  /** What was made, and of what. */
  type Made = Pick<Value, 'items' | 'tags' | 'id' | 'key' | 'began' | 'kind'> & { readonly doneBy: number }

  function brokenBy(
    value: Made,
    key: string,
    beforeOf: (subject: Subject) => number,
    process?: string,
  ): Barrier | undefined {
    const { doneBy } = value
    // The version of a set says nothing: it was asked for before.
    const dated = (item: string) => ({ doneBy, version: value.kind === 'load' ? value.items[item] : undefined })
    const byKey = barriers.broken(`key ${key}`, beforeOf(`key ${key}`), dated(key), process)
    if (byKey !== undefined) return byKey
    for (const tag of value.tags) {
      const byTag = barriers.broken(`tag ${tag}`, beforeOf(`tag ${tag}`), dated(tag), process)
      if (byTag !== undefined) return byTag
    }
    return barriers.broken('all', beforeOf('all'), { doneBy, version: undefined }, process)
  }

  /** The instant before which a barrier must have ended to be known to whoever answered between these two. */
  function knownBefore(from: number, to: number): number {
    const misleading = handOvers.filter(({ at, end }) => at <= to && end >= from)
    return Math.min(from, ...misleading.map(({ at }) => at))
  }

  const made = (value: Value): Made => ({ ...value, doneBy: model.doneBy(value) })

  function judge({ process, record, end }: Call, key: string, value: Made): void {
    const { op, at } = record
    const own = brokenBy(value, key, () => knownBefore(at, end), process)
    if (own !== undefined) {
      found.push({ rule: 'I4', at, text: `${op} of ${process} got ${say(value, own)}`, key })
      return
    }
    const since = (subject: Subject) => openings[op === 'getMany' ? 'read' : 'since'](process, key, subject, at)
    const other = brokenBy(value, key, (subject) => knownBefore(since(subject), end))
    if (other !== undefined) found.push({ rule: 'I3', at, text: `${op} of ${process} got ${say(value, other)}`, key })
  }

  for (const call of model.calls) {
    const { outcome, record } = call
    const failed = outcome?.type === 'failed' && outcome.run !== undefined ? model.run(outcome.run) : undefined
    if (failed !== undefined) {
      const { run: id, key, at: began } = failed.record
      judge(call, key, { id, key, began, doneBy: began, kind: 'load', items: {}, tags: [] })
    }
    if (outcome?.type !== 'got' || record.sets !== undefined) continue
    for (const [i, id] of outcome.values.entries()) {
      const value = id === null ? undefined : model.values.get(id)
      if (value !== undefined) judge(call, record.keys[i] as string, made(value))
    }
  }
  for (const { key, value, last } of model.history.sightings) {
    const barrier = brokenBy(made(value), key, () => knownBefore(last, last + LOOK_LIMIT))
    if (barrier !== undefined) found.push({ rule: 'I3', at: last, text: `Redis has ${say(value, barrier)}`, key })
  }
  return found
}

function say(value: Pick<Value, 'id' | 'key' | 'began' | 'items'>, barrier: Barrier): string {
  const { id, key, began, items } = value
  const age = `${key} as ${id} made it, begun at ${began.toFixed(1)} of ${JSON.stringify(items)}`
  const version = barrier.version === undefined ? '' : `, version ${barrier.version}`
  return `${age}, after ${barrier.what} (${barrier.at.toFixed(1)} to ${barrier.end.toFixed(1)}${version})`
}
