import { decodeEntry } from '../../src/core/entry.ts'
import { ERROR_CODEC } from '../../src/core/errors.ts'
import type { Bytes } from '../../src/index.ts'
import { ALL, type Fault, LOOK_LIMIT, monotonic, type Sighting, type Value } from './history.ts'

/** Looks into Redis itself, past caches and proxies, over and over. */
export interface Observer {
  readonly sightings: readonly Sighting[]
  /** When Redis, or the way to it, was slow, whoever did that: nobody is to blame for being late then. */
  readonly slowness: readonly Fault[]
  /** How often it has looked. */
  readonly looks: number
  stop(): Promise<void>
}

/** The bytes under each id, in order; rejects, or says nothing, where Redis is not to be had. */
export type Look = (ids: readonly string[]) => Promise<readonly (Bytes | null)[]>

/** ms between two looks. */
const EVERY = 4
/** ms that a look takes where Redis is slow. */
const SLOW = 250

export function observe(ids: readonly string[], look: Look): Observer {
  const sightings: (Sighting & { last: number })[] = []
  const current = new Map<string, { readonly bytes: Buffer; readonly sighting: Sighting & { last: number } }>()
  const slowness: Fault[] = []
  let looks = 0
  let stopped = false

  function see(key: string, bytes: Bytes | null | undefined, at: number): void {
    const known = current.get(key)
    if (bytes === null || bytes === undefined) return void current.delete(key)
    if (known?.bytes.equals(bytes)) {
      known.sighting.last = at
      return
    }
    const entry = decodeEntry(bytes)
    // An error that is stored says of which run it is when somebody gets it.
    if (entry === undefined || entry.codec === ERROR_CODEC) return void current.delete(key)
    const value = JSON.parse(Buffer.from(entry.payload).toString()) as Value
    const sighting = { key, value, stamp: entry.stamp, first: at, last: at }
    sightings.push(sighting)
    current.set(key, { bytes: Buffer.from(bytes), sighting })
  }

  async function go(): Promise<void> {
    while (!stopped) {
      const at = monotonic()
      try {
        const found = await look(ids)
        const end = monotonic()
        if (end - at > SLOW) slowness.push({ kind: 'slow', at, end, target: ALL })
        if (end - at > LOOK_LIMIT) continue
        looks++
        for (const [i, id] of ids.entries()) see(id, found[i], at)
      } catch {
        // Redis is away: what it has then will be seen later, or by nobody.
      }
      await new Promise((resolve) => setTimeout(resolve, EVERY))
    }
  }

  const going = go()
  return {
    sightings,
    slowness,
    get looks() {
      return looks
    },
    async stop() {
      stopped = true
      await going
    },
  }
}
