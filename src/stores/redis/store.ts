import { inParts } from '../../core/parts.ts'
import type { Link, Session, Store } from '../../core/store.ts'
import { batched } from './batch.ts'
import { createClock } from './clock.ts'
import { flightSteps } from './flights.ts'
import { gatherReplies, PATIENCE_SHARE } from './gather.ts'
import { inTimeEach } from './inTime.ts'
import { namesOf } from './keys.ts'
import { listing } from './listing.ts'
import { encodeNotice } from './messages.ts'
import { placeSteps } from './places.ts'
import { scriptsOf } from './scripts.ts'
import { clientOf, prefixOf, type RedisClient, type RedisSource } from './source.ts'
import { subscribe } from './subscription.ts'
import { tagSteps } from './tags.ts'
import { watchServers } from './watch.ts'
import { wire } from './wiring.ts'

/** Keys that are read by one command: a reply holds them all. */
const READ_AT_ONCE = 1000
/** ms between two readings of the server's clock, where no claim brings one: servers' clocks are set, and drift. */
const READ_CLOCK_EVERY = 30_000
/** The part of the command budget that one key of many may take to be read in a cluster. */
const READ_SHARE = 0.9

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
  const { client, clustered, send, publish } = wiring
  const scripts = scriptsOf(client)
  const watch = watchServers(wiring, link)
  const subscription = subscribe(wiring.inbox, names, link, publish)
  const gather = gatherReplies(commandTimeout * PATIENCE_SHARE)
  const get = (key: string) => send(() => client.getBuffer(key))
  const getAll = async (keys: readonly string[]) => (await send(() => client.mgetBuffer([...keys]))).map(bytesOf)
  const read = clustered
    ? async (key: string) => bytesOf(await gather(wiring.serverName(key), get(key))) // the keys of a cluster are on many nodes
    : batched<string, Buffer | undefined>({ most: READ_AT_ONCE, defer: process.nextTick }, async (keys) =>
        keys.length === 1 ? [bytesOf(await get(keys[0] as string))] : getAll(keys),
      )

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

    read: (id) => read(names.entry(id)),

    async readMany(ids) {
      const parts = inParts(ids.map(names.entry), clustered ? 1 : ids.length)
      const replies = parts.map(getAll)
      const all = await (clustered ? inTimeEach(replies, commandTimeout * READ_SHARE, fault) : Promise.all(replies))
      return all.flatMap((values) => values ?? [undefined])
    },

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

function bytesOf(reply: Buffer | null): Buffer | undefined {
  return reply ?? undefined
}
