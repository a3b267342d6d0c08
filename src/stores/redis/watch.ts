import type { Redis } from 'ioredis'
import { messageOf } from '../../core/errors.ts'
import type { Link } from '../../core/store.ts'
import { translate } from './connection.ts'
import { fieldOf, misplacedIn } from './info.ts'
import type { Wiring } from './wiring.ts'

interface Observation {
  readonly policy: string
  readonly evicted: number
  /** Why it can't be a store. */
  readonly objection: string | undefined
}

/** ms between two looks; the first is at the connection. */
const LOOK_AGAIN_AFTER = 30_000

/**
 * Looks whether the servers may drop keys, or have dropped some, and whether they can be a store at all, and tells the cache. By
 * INFO, because managed services refuse CONFIG.
 */
export function watchServers(
  { masters, clustered }: Pick<Wiring, 'masters' | 'clustered'>,
  link: Link,
): { look(): Promise<void>; close(): void } {
  /** By server, as a process: what it was when it was looked at last. */
  let before: ReadonlyMap<string, Observation> = new Map()
  let timer: NodeJS.Timeout | undefined
  let closed = false
  /** Why the last look failed. */
  let told: string | undefined

  async function look(): Promise<void> {
    clearTimeout(timer)
    try {
      const seen = new Map<string, Observation>()
      for (const { client } of await masters()) await lookAt(client, seen)
      before = seen
      told = undefined
    } catch (error) {
      // Without the right to INFO nothing can be said; that is said once.
      if (!closed && told !== messageOf(error)) link.tell({ type: 'fault', error: translate(error) })
      told = messageOf(error)
    }
    if (closed) return
    clearTimeout(timer)
    timer = setTimeout(() => void look(), LOOK_AGAIN_AFTER)
    timer.unref()
  }

  async function lookAt(server: Redis, seen: Map<string, Observation>): Promise<void> {
    const info = await server.info()
    const limit = Number(fieldOf(info, 'maxmemory') ?? 0)
    const policy = limit === 0 ? 'noeviction' : (fieldOf(info, 'maxmemory_policy') ?? 'noeviction')
    const evicted = Number(fieldOf(info, 'evicted_keys') ?? 0)
    // Behind Sentinel, and after a restart, another one may have its address.
    const name = fieldOf(info, 'run_id') ?? `${server.options.host}:${server.options.port}`
    const last = before.get(name)
    const misplaced = misplacedIn(info, clustered)
    seen.set(name, { policy, evicted, objection: misplaced?.message })
    if (closed) return
    if (misplaced !== undefined && misplaced.message !== last?.objection) link.tell({ type: 'fault', error: misplaced })
    if (policy === 'noeviction') return
    const gone = last === undefined ? 0 : evicted - last.evicted
    if (last?.policy !== policy || gone > 0) link.tell({ type: 'eviction', policy, evicted: Math.max(0, gone) })
  }

  return {
    look,
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}
