import { strict as assert } from 'node:assert'
import type { CacheEvent, CacheEventOf, CacheEventType } from '../../src/index.ts'
import type { Told } from './api.ts'
import type { Sample } from './clients.ts'
import type { Api } from './fleet.ts'

/** A cache event, and when it happened. */
export type Heard<T extends CacheEventType> = CacheEventOf<T> & { readonly at: number }

/** Everybody was answered with the value of what was asked for. */
export function expectAnswers(samples: readonly Sample[]): void {
  assert(samples.length > 0, 'nobody asked anything')
  const wrong = lostIn(samples)
  const listed = wrong.slice(0, 5).map(({ stream, target, outcome, text }) => `${stream} ${target}: ${outcome} ${text}`)
  assert.equal(wrong.length, 0, `of ${samples.length} requests ${wrong.length} were lost, such as ${listed.join('; ')}`)
}

/** Those that were not answered, or with something else. */
export function lostIn(samples: readonly Sample[]): Sample[] {
  return samples.filter(({ outcome, text, key }) => outcome !== 200 || !text.endsWith(` ${key}`))
}

/** The origin ran for no key twice at once: whoever came meanwhile has joined. Not for what is asked without the cache. */
export function expectOneRunAtATime({ name, told }: Api): void {
  const now = new Set<string>()
  for (const { what } of told) {
    if (what.type === 'run') {
      assert(!now.has(what.key), `${name} ran the origin for ${what.key} twice at once`)
      now.add(what.key)
    } else if (what.type === 'ran') now.delete(what.key)
  }
}

/** How often the origin ran for the key there. */
export function runsOf({ told }: Api, key: string): number {
  return told.filter(({ what }) => what.type === 'run' && what.key === key).length
}

/** What happened there of one type, in a period of the shared clock. */
export function heardOf<T extends CacheEventType>(
  { told }: Api,
  type: T,
  from = Number.NEGATIVE_INFINITY,
  to = Number.POSITIVE_INFINITY,
): Heard<T>[] {
  return told
    .filter(({ at, what }) => what.type === type && at >= from && at <= to)
    .map(({ at, what }: Told) => ({ ...(what as CacheEvent), at }) as Heard<T>)
}

/** With the breaker open the store is asked by one request at a time, once in a while, and left alone by all others. */
export function expectProbesOnly({ name, told }: Api): void {
  let probing = false
  let failed = 0
  for (const { what } of told) {
    if (what.type === 'storeFault' && what.op !== 'connection') failed++
    if (what.type !== 'breaker') continue
    // What was sent before it opened has failed long before the first probe.
    if (what.state === 'half-open') failed = 0
    else if (what.state === 'open' && probing) {
      assert(failed <= 1, `${name} probed the store with one command, and ${failed} failed`)
    }
    probing = what.state === 'half-open'
  }
}
