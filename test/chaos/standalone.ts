import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { namesOf } from '../../src/stores/redis/keys.ts'
import type { Random } from '../core/schedule/random.ts'
import { startProxy, type TcpProxy } from '../redis/proxy.ts'
import { type RedisServer, startRedis } from '../redis/server.ts'
import { ALL } from './history.ts'
import { type Disaster, EVERYBODY, evicting, type Servers, type ServersOptions } from './servers.ts'

/** One Redis, and in front of each process a proxy of its own. */
export async function startStandalone(options: ServersOptions): Promise<Servers> {
  const { namespace, processes, ids, latencies } = options
  const names = namesOf(namespace)
  const server = await startRedis()
  const proxies: TcpProxy[] = []
  // A look at a Redis that is away is given up, and not made later.
  const eyes = new Redis(server.url, { maxRetriesPerRequest: 0, enableOfflineQueue: false })
  eyes.on('error', () => undefined)
  const inspector = server.client()

  async function dispose(): Promise<void> {
    eyes.disconnect()
    await Promise.all([...proxies.map((proxy) => proxy.close()), server[Symbol.asyncDispose]()])
  }

  try {
    for (let place = 0; place < processes; place++) {
      const proxy = await startProxy(server.url)
      proxy.delay(latencyOf(place))
      proxies.push(proxy)
    }
  } catch (error) {
    await dispose()
    throw error
  }

  function latencyOf(place: number): number {
    return latencies[place % latencies.length] ?? 0
  }

  /** Does harm to the line of one process, or now and then of all, for a while. */
  function toLines(
    most: number,
    begin: (proxy: TcpProxy, random: Random) => void,
    end: (proxy: TcpProxy, place: number) => void,
  ): Disaster {
    return async (random) => {
      const everybody = random.chance(0.2)
      const place = random.below(processes)
      const befallen = proxies.map((proxy, at) => ({ proxy, at })).filter(({ at }) => everybody || at === place)
      for (const { proxy } of befallen) begin(proxy, random)
      await delay(random.next() * most)
      for (const { proxy, at } of befallen) end(proxy, at)
      return { target: everybody ? ALL : place }
    }
  }

  return {
    kind: 'standalone',
    targetOf: (place) => ({ type: 'single', url: (proxies[place] as TcpProxy).url }),
    look: (some) => eyes.mgetBuffer(some.map(names.entry)),
    disasters: {
      killClients: killing(inspector, 'normal'),
      killSubscribers: killing(inspector, 'pubsub'),
      async pauseRedis(random) {
        server.pause()
        await delay(50 + random.next() * 550)
        server.resume()
        return EVERYBODY
      },
      async restartRedis(random) {
        await server.kill()
        await delay(random.next() * 300)
        await restarted(server)
        return EVERYBODY
      },
      async flush() {
        await tried(inspector.flushall())
        return EVERYBODY
      },
      async forgetScripts() {
        await tried(inspector.script('FLUSH'))
        return EVERYBODY
      },
      cut: toLines(
        0,
        (proxy) => proxy.cut(),
        () => undefined,
      ),
      blackhole: toLines(
        500,
        (proxy) => proxy.blackhole(true),
        (proxy) => proxy.blackhole(false),
      ),
      delay: toLines(
        600,
        (proxy, random) => proxy.delay(20 + random.next() * 200),
        (proxy, place) => proxy.delay(latencyOf(place)),
      ),
      evict: evicting(ids, names, (key) => inspector.unlink(key)),
    },
    [Symbol.asyncDispose]: dispose,
  }
}

/** Redis may be killed meanwhile, which is as good. */
async function tried(harm: Promise<unknown>): Promise<void> {
  await harm.catch(() => undefined)
}

/**
 * Somebody else's server may have taken the port meanwhile: it has no such keys either, and ends soon. And whoever looks
 * whether the new one answers may be among the clients that are killed.
 */
async function restarted(server: RedisServer): Promise<void> {
  for (let attempts = 60; ; attempts--) {
    try {
      return await server.restart()
    } catch (error) {
      if (attempts === 1 || !/in use|closed/i.test(String(error))) throw error
    }
    await delay(500)
  }
}

function killing(inspector: Redis, type: 'normal' | 'pubsub'): Disaster {
  return async () => {
    await tried(inspector.call('CLIENT', 'KILL', 'TYPE', type))
    return EVERYBODY
  }
}
