import { createCache } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { serve } from '../../redis/child.ts'

/** The child that tls.test.ts starts: what it trusts Node reads when it starts, from NODE_EXTRA_CA_CERTS. */
const calls = {
  async use(url: string, namespace: string): Promise<unknown> {
    const cache = createCache({ namespace, store: redisStore(url), ttl: 60_000, commandTimeout: 10_000 })
    await cache.ready()
    const value = await cache.getOrSet('x', () => 'computed')
    await cache.close()
    return value
  },
}

export type TlsCalls = typeof calls

serve(calls)
