import type { Link, Session, Store } from '../../core/store.ts'
import { createClock } from './clock.ts'
import { flightSteps } from './flights.ts'
import { namesOf } from './keys.ts'
import { listing } from './listing.ts'
import { encodeNotice } from './messages.ts'
import { placeSteps } from './places.ts'
import { readSteps } from './reads.ts'
import { scriptsOf } from './scripts.ts'
import { clientOf, prefixOf, type RedisClient, type RedisSource } from './source.ts'
import { subscribe } from './subscription.ts'
import { tagSteps } from './tags.ts'
import { watchServers } from './watch.ts'
import { wire } from './wiring.ts'

/** ms between two readings of the server's clock, where no claim brings one: servers' clocks are set, and drift. */
const READ_CLOCK_EVERY = 30_000

/**
 * A store on Redis (6.2 or newer) or Valkey: a single server, also behind Sentinel, by URL, ioredis options or client; or
 * a cluster, by client. Clients of ioredis 5 or 6 are only duplicated and stay yours. Each cache opens two connections of
 * its own, behind Sentinel also one to each sentinel that is named; in a cluster one to each master and one for messages.
 *
 * @throws TypeError or RangeError for what none of these is, and for a `keyPrefix` with braces
 */
export function redisStore(source: RedisSource): Store {
  const client = clientOf(source)
  const prefix = prefixOf(client)
  return { name: 'redis', open: (link) => open(client, prefix, link) }
}

function open(source: RedisClient, prefix: string, link: Link): Session {
  const { commandTimeout } = link
  const names = namesOf(prefix + link.namespace)
  const fault = (error: unknown) => link.tell({ type: 'fault', error })
  const clock = createClock()

  const wiring = wire(source, commandTimeout, {
    fault,
    up() {
      void readClock()
      void watch.look()
    },
  })
  const { client, send, publish } = wiring
  const scripts = scriptsOf(client)
  const watch = watchServers(wiring, link)
  const subscription = subscribe(wiring.inbox, names, link, publish)

  const clockTimer = setInterval(() => void readClock(), READ_CLOCK_EVERY)
  clockTimer.unref()

  async function readClock(): Promise<void> {
    try {
      const sentAt = performance.now()
      const [seconds, microseconds] = await send(() => client.time())
      clock.set(Number(seconds), Number(microseconds), sentAt)
    } catch (error) {
      fault(error)
    }
  }

  return {
    async ready() {
      await Promise.all([wiring.connected(), subscription.confirmed()])
    },

    now: clock.now,

    ...readSteps(wiring, names, link),
    ...flightSteps(wiring, scripts, names, link, clock),
    ...placeSteps(wiring, scripts, names, link),
    ...tagSteps(wiring, scripts, names),
    list: listing(wiring, names),

    async announce(notice) {
      await publish(names.bus, encodeNotice(notice))
    },

    async close() {
      watch.close()
      clearInterval(clockTimer)
      await Promise.all([wiring.close(), subscription.close()])
    },
  }
}
