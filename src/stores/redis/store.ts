import type { Bytes } from '../../core/codec.ts'
import { StoreError } from '../../core/errors.ts'
import { inParts } from '../../core/parts.ts'
import type { ClaimReply, ClaimRequest, Ended, Ending, Link, Seen, Session, Store } from '../../core/store.ts'
import { batched } from './batch.ts'
import { createClock } from './clock.ts'
import { expiryOf, wholeMs } from './durations.ts'
import { watchEviction } from './eviction.ts'
import { gatherReplies } from './gather.ts'
import { inTime, inTimeEach, inTimeOrFail } from './inTime.ts'
import { namesOf } from './keys.ts'
import { listing } from './listing.ts'
import { AGAIN, ALONE, ERROR, encodeMessage, encodeNotice, VALUE } from './messages.ts'
import { type EndArguments, scriptsOf } from './scripts.ts'
import { clientOf, prefixOf, type RedisClient, type RedisSource } from './source.ts'
import { subscribe } from './subscription.ts'
import { tagClock, tagSteps } from './tags.ts'
import { wire } from './wiring.ts'

/** Bytes that the bodies of all messages of one end may have; more, and the waiters are told to read. */
const INLINE_LIMIT = 1024 * 1024
/** The same in a cluster, which sends every message to every node. */
const CLUSTER_INLINE_LIMIT = 16 * 1024
/** The part of the command budget that a claim waits for the clock of tags, where that is on another server. */
const CLOCK_SHARE = 0.25
/** The part of it that a tagged write, which can't do without, waits for that. */
const TAKE_CLOCK_SHARE = 0.5
/** The part of the command budget that the removal of one id may take in a cluster. */
const REMOVE_SHARE = 0.9
/** The part of it that one key of many may take to be read in a cluster. */
const READ_SHARE = 0.9
/** So many ids are removed by one script. */
const REMOVED_AT_ONCE = 50

/**
 * A store on Redis (6.2 or newer) or Valkey: a single server, also behind Sentinel, by URL, ioredis options or client; or
 * a cluster, by client. Clients of ioredis 5 or 6 are only duplicated and stay yours. Each cache opens two connections of
 * its own, in a cluster one to each master and one for messages.
 *
 * @throws TypeError or RangeError for what none of these is, and for a `keyPrefix` with braces
 */
export function redisStore(source: RedisSource): Store {
  const client = clientOf(source)
  const prefix = prefixOf(client)
  return { name: 'redis', open: (link) => open(client, prefix, link) }
}

/** Who waits for a flight, and what they are told. */
interface Telling {
  readonly id: string
  readonly token: string
  readonly letter: string
  readonly body?: Bytes | undefined
  readonly waiters: readonly string[]
}

function open(source: RedisClient, prefix: string, link: Link): Session {
  const { instanceId, commandTimeout } = link
  const names = namesOf(prefix + link.namespace)
  const inboxPrefix = names.inbox('')
  const fault = (error: unknown) => link.tell({ type: 'fault', error })
  const clock = createClock()

  const wiring = wire(source, commandTimeout, {
    fault,
    up() {
      void readClock()
      void eviction.look()
    },
  })
  const { client, clustered, send, sendOnce, publish } = wiring
  const scripts = scriptsOf(client)
  const eviction = watchEviction(wiring.masters, link)
  const subscription = subscribe(wiring.inbox, names, link, publish)
  /** Of the scripts that read the clock of tags too, where it is on the same server; else it is read beside them. */
  const clockKeys: [clock?: string] = clustered ? [] : [names.clock]
  const readTagClock = tagClock(wiring, scripts, names)
  const gather = gatherReplies()
  const get = (key: string) => send(() => client.getBuffer(key))
  const read = clustered
    ? (key: string) => gather(serverName(key), get(key)) // the keys of a cluster are on many nodes
    : batched(get, (keys) => send(() => client.mgetBuffer([...keys])))
  const inlineLimit = clustered ? CLUSTER_INLINE_LIMIT : INLINE_LIMIT

  function serverName(key: string): string {
    if (!clustered) return ''
    try {
      return wiring.serverOf(key).name
    } catch {
      return '' // the command itself says so
    }
  }

  async function readClock(): Promise<void> {
    try {
      const sentAt = performance.now()
      const [seconds, microseconds] = await send(() => client.time())
      clock.set(Number(seconds), Number(microseconds), sentAt)
    } catch (error) {
      fault(error)
    }
  }

  /** Tells the waiters that a script may not publish to. */
  async function tell({ id, token, letter, body, waiters }: Telling): Promise<void> {
    if (waiters.length === 0) return
    const message = encodeMessage(letter, token, id, body)
    const sent = waiters.map((waiter) => publish(inboxPrefix + waiter, message))
    // Who is not reached waits for the end of the lease.
    for (const result of await Promise.allSettled(sent)) if (result.status === 'rejected') fault(result.reason)
  }

  /** The clock of tags as a script replied it. */
  function repliedClock(reply: Buffer | undefined): number | undefined {
    if (reply !== undefined && reply.length > 0) return Number(reply)
    fault(new StoreError('WRONG_TYPE', `${names.clock} is not a clock: values with tags are not stored`))
    return undefined
  }

  async function claim(id: string, { token, seen, lease }: ClaimRequest): Promise<ClaimReply> {
    const sentAt = performance.now()
    const clockBeside = clustered
      ? inTime(
          readTagClock().catch((error) => void fault(error)),
          commandTimeout * CLOCK_SHARE,
        )
      : undefined
    const [verdict, first, second, third, fourth] = await sendOnce(() =>
      scripts.claim(
        [names.entry(id), names.flight(id), ...clockKeys],
        token,
        wholeMs(lease),
        instanceId,
        encodeSeen(seen),
      ),
    )
    switch (String(verdict)) {
      case 'HIT':
        return { type: 'hit' }
      case 'LEAD':
        clock.set(Number(second), Number(third), sentAt)
        return { type: 'lead', present: decodePresent(first), clock: await (clockBeside ?? repliedClock(fourth)) }
      case 'WAIT':
        return { type: 'wait', token: String(first), leaseLeft: Number(second), present: decodePresent(third) }
      default:
        throw new StoreError('REFUSED', `claim replied ${String(verdict)}`)
    }
  }

  /** Runs the end script. */
  async function end(
    id: string,
    given: Partial<EndArguments> & { readonly letter: string },
    sendIt = send,
  ): Promise<Ended> {
    const { token = '', letter, body = '', write = '', px = '' } = given
    const args = { token, id, inboxPrefix, letter, body, write, px, inlineLimit }
    const [verdict, stored, refused, leader = '', told = letter, ...waiters] = (
      await sendIt(() => scripts.end(names.entry(id), names.flight(id), args))
    ).map(String)
    if (verdict === 'FENCED') return { type: 'fenced' }
    await tell({
      id,
      token: leader,
      letter: told,
      body: told === VALUE || told === ERROR ? bytesOf(body) : undefined,
      waiters,
    })
    return { type: 'ok', stored: stored === '1', ...(refused ? { refused } : {}) }
  }

  async function remove(ids: readonly string[]): Promise<void> {
    const keys = ids.flatMap((id) => [names.entry(id), names.flight(id)])
    const unreached = (await send(() => scripts.remove(keys, inboxPrefix, ids))).map(String)
    for (let i = 0; i < unreached.length; i += 3) {
      const [id = '', token = '', waiter = ''] = unreached.slice(i, i + 3)
      await tell({ id, token, letter: AGAIN, waiters: [waiter] })
    }
  }

  return {
    async ready() {
      await Promise.all([wiring.connected(), subscription.confirmed()])
    },

    now: clock.now,

    read: async (id) => (await read(names.entry(id))) ?? undefined,

    async readMany(ids) {
      const parts = inParts(ids.map(names.entry), clustered ? 1 : ids.length)
      const replies = parts.map((keys) => send(() => client.mgetBuffer([...keys])))
      const all = await (clustered ? inTimeEach(replies, commandTimeout * READ_SHARE, fault) : Promise.all(replies))
      return all.flatMap((values) => values ?? [undefined]).map((bytes) => bytes ?? undefined)
    },

    claim: (id, request) => gather(serverName(names.entry(id)), claim(id, request)),

    async renew(id, token, lease) {
      const waiters = Number(await send(() => scripts.renew(names.flight(id), token, wholeMs(lease))))
      return waiters < 0 ? 'lost' : waiters
    },

    end: (id, token, ending) => end(id, { token, ...endingArguments(ending) }),

    async set(id, entry, ttl) {
      await end(id, { letter: VALUE, body: entry, write: 'set', px: expiryOf(ttl) }, sendOnce)
    },

    async take(id, token, lease) {
      // Before the flight is taken: an invalidation between the two must have more.
      const before = clustered ? await inTimeOrFail(readTagClock(), commandTimeout * TAKE_CLOCK_SHARE) : undefined
      const [replied, leader, ...waiters] = await sendOnce(() =>
        scripts.take([names.entry(id), names.flight(id), ...clockKeys], token, wholeMs(lease), id, inboxPrefix),
      )
      await tell({ id, token: String(leader), letter: AGAIN, waiters: waiters.map(String) })
      const now = before ?? repliedClock(replied)
      if (now === undefined) throw new StoreError('WRONG_TYPE', `${names.clock} is not a clock`)
      return now
    },

    async remove(ids) {
      const parts = inParts(ids, clustered ? 1 : REMOVED_AT_ONCE)
      const removals = parts.map(remove)
      // One server may be silent, and the others not: which ids are its own must be known before the whole budget is spent.
      const timely = removals.map((one) => (clustered ? inTimeOrFail(one, commandTimeout * REMOVE_SHARE) : one))
      const results = await Promise.allSettled(timely)
      const failed = parts.filter((_, i) => results[i]?.status === 'rejected').flat()
      const cause = results.find((result) => result.status === 'rejected')?.reason as StoreError | undefined
      if (cause !== undefined) throw new StoreError(cause.code, cause.message, { cause, ids: failed })
    },

    ...tagSteps(wiring, scripts, names),
    list: listing(wiring, names),

    async announce(notice) {
      await publish(names.bus, encodeNotice(notice))
    },

    async close() {
      eviction.close()
      await Promise.all([wiring.close(), subscription.close()])
    },
  }
}

function endingArguments(ending: Ending): Partial<EndArguments> & { readonly letter: string } {
  switch (ending.type) {
    case 'value':
      return { letter: VALUE, body: ending.entry, write: 'set', px: expiryOf(ending.ttl) }
    case 'share':
      // Too large for a message, and nowhere to be read: it need not be sent at all.
      return ending.entry.byteLength > INLINE_LIMIT ? { letter: ALONE } : { letter: VALUE, body: ending.entry }
    case 'error':
      return { letter: ERROR, body: ending.error }
    case 'again':
      return { letter: AGAIN }
    case 'alone':
      return { letter: ALONE }
    default:
      return ending satisfies never
  }
}

function encodeSeen(seen: Seen): Buffer {
  if (seen === 'none') return Buffer.from('-')
  if (seen === 'any') return Buffer.from('*')
  return Buffer.concat([Buffer.from('='), seen])
}

function decodePresent(present: Buffer | undefined): Bytes | 'none' {
  return present === undefined || present.length === 0 || present[0] === 0x2d ? 'none' : present.subarray(1)
}

function bytesOf(body: Bytes | ''): Bytes | undefined {
  return body === '' ? undefined : body
}
