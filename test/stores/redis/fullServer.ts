import type { Redis } from 'ioredis'
import { expect } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { startRedis } from '../../redis/server.ts'
import { openPeers, type Peers } from '../contract/peers.ts'

/** A server of the test's own whose memory can be full. */
export interface Full extends AsyncDisposable {
  readonly peers: Peers
  readonly inspector: Redis
  /** From now on the server has more data than it may have. */
  fill(): Promise<void>
  free(): Promise<void>
}

export async function openFull(): Promise<Full> {
  const server = await startRedis({ config: ['maxmemory-policy noeviction'] })
  const peers = await openPeers({ open: () => () => redisStore(server.url) })
  const inspector = server.client()
  return {
    peers,
    inspector,
    async fill() {
      await inspector.config('SET', 'maxmemory', '1kb')
      await expect(inspector.set('more', 'x')).rejects.toThrow('OOM')
    },
    async free() {
      await inspector.config('SET', 'maxmemory', '0')
    },
    async [Symbol.asyncDispose]() {
      await peers[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}
