import type { Redis } from 'ioredis'
import type { Link } from '../../core/store.ts'
import type { Server } from './wiring.ts'

/** ms between two looks; the first is at the connection. */
const LOOK_AGAIN_AFTER = 30_000

/**
 * Looks whether the servers may drop keys, or have dropped some, and tells the cache. By INFO, because managed services
 * refuse CONFIG.
 */
export function watchEviction(
  masters: () => Promise<readonly Server[]>,
  link: Link,
): { look(): Promise<void>; close(): void } {
  /** By server: what it was when it was looked at last. */
  const before = new Map<string, { readonly policy: string; readonly evicted: number }>()
  let timer: NodeJS.Timeout | undefined
  let closed = false
  let refused = false

  async function look(): Promise<void> {
    clearTimeout(timer)
    try {
      for (const { client } of await masters()) await lookAt(client)
    } catch (error) {
      // Without the right to INFO nothing can be said; that is said once.
      if (!closed && !refused) link.tell({ type: 'fault', error })
      refused = true
    }
    if (closed) return
    clearTimeout(timer)
    timer = setTimeout(() => void look(), LOOK_AGAIN_AFTER)
    timer.unref()
  }

  async function lookAt(server: Redis): Promise<void> {
    const [memory, stats] = await Promise.all([server.info('memory'), server.info('stats')])
    const limit = Number(fieldOf(memory, 'maxmemory') ?? 0)
    const policy = limit === 0 ? 'noeviction' : (fieldOf(memory, 'maxmemory_policy') ?? 'noeviction')
    const evicted = Number(fieldOf(stats, 'evicted_keys') ?? 0)
    const name = `${server.options.host}:${server.options.port}`
    const last = before.get(name)
    before.set(name, { policy, evicted })
    if (closed || policy === 'noeviction') return
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

function fieldOf(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
}
