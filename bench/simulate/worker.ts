/** Instances in a process of their own, which check.ts tells what to ask for. */
import { type Cache, createCache } from '../../src/index.ts'
import { redisStore } from '../../src/stores/redis/index.ts'
import { clientAt } from '../../test/instances/place.ts'
import { serve } from '../../test/redis/child.ts'

export interface Place {
  /** Of a server, or nodes of a cluster. */
  readonly redis: string | readonly { readonly host: string; readonly port: number }[]
  readonly namespace: string
}

/** What the callers got: instants are ms of one clock for all processes. */
export interface Got {
  readonly runs: number
  /** When its loaders ended; none where it ran none. */
  readonly loadedAt: number
  /** When each instance that did not load had its last answer. */
  readonly answeredAt: readonly number[]
  readonly wrong: number
}

/** How many claims were answered, and how many flights have ended for those who led them. */
export interface Standing {
  readonly claimed: number
  readonly published: number
}

/** So long that no lease is renewed and no command is late while a busy machine takes its time; four digits, as the default. */
const PATIENT = { ttl: 600_000, leaseTtl: 9999, commandTimeout: 20_000 }

const caches: Cache[] = []
let standing = { claimed: 0, published: 0 }
let held: { readonly released: Promise<void>; release(): void } | undefined

const calls = {
  async open({ redis, namespace }: Place, count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const source = typeof redis === 'string' ? redis : clientAt({ startupNodes: redis })
      const cache = createCache({ ...PATIENT, namespace, store: redisStore(source) })
      cache.on('*', ({ type }) => {
        if (type === 'lead' || type === 'follow') standing = { ...standing, claimed: standing.claimed + 1 }
        if (type === 'publish') standing = { ...standing, published: standing.published + 1 }
      })
      await cache.ready()
      caches.push(cache)
    }
  },

  /** Every script is known on every connection after that. */
  async warm(name: string, keys: number): Promise<void> {
    for (const [i, cache] of caches.entries()) {
      const all = Array.from({ length: keys }, (_, k) => cache.getOrSet(`${name} ${i} ${k}`, async () => 'warm'))
      await Promise.all(all)
    }
  },

  hold(): void {
    standing = { claimed: 0, published: 0 }
    let release = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    held = { released, release }
  },

  standing: () => standing,

  release: () => held?.release(),

  async ask(keys: readonly string[], callers: number, valueBytes: number): Promise<Got> {
    let runs = 0
    let loadedAt = Number.NEGATIVE_INFINITY
    let wrong = 0
    const value = 'x'.repeat(valueBytes - 2)
    const answeredAt = await Promise.all(
      caches.map(async (cache) => {
        let led = false
        const load = async () => {
          runs++
          led = true
          await held?.released
          loadedAt = now()
          return value
        }
        const asked = keys.flatMap((key) => Array.from({ length: callers }, () => cache.getOrSet(key, load)))
        for (const got of await Promise.all(asked)) if (got !== value) wrong++
        return led ? undefined : now()
      }),
    )
    return { runs, loadedAt, answeredAt: answeredAt.filter((at) => at !== undefined), wrong }
  },
}

export type WorkerCalls = typeof calls

serve(calls)

function now(): number {
  return performance.timeOrigin + performance.now()
}
