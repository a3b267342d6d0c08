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

/** Commands that failed, connections apart. */
export function failedCommands(api: Api, from?: number, to?: number): Heard<'storeFault'>[] {
  return heardOf(api, 'storeFault', from, to).filter(({ op }) => op !== 'connection')
}

/** While the breaker is open the store is asked once in a while, by one request each time, and left alone by all others. */
export function expectProbesOnly(api: Api, from: number, to: number): void {
  const probes = heardOf(api, 'breaker', from, to).filter(({ state }) => state === 'half-open')
  const first = probes[0]
  if (first === undefined) return
  // What was sent before it opened has failed by then.
  const failed = failedCommands(api, first.at, to)
  assert(
    failed.length <= probes.length,
    `${api.name} probed ${probes.length} times with the breaker open, and ${failed.length} commands failed`,
  )
}
