import type { Bytes } from '../../core/codec.ts'
import { StoreError } from '../../core/errors.ts'
import type { ClaimReply, Ended, Ending, Link, Notice, Seen, Session, Store } from '../../core/store.ts'
import { clientOf, connect, prefixOf, type RedisClient, type RedisSource } from './connection.ts'
import { namesOf } from './keys.ts'
import { AGAIN, ALONE, ERROR, encodeMessage, encodeNotice, VALUE } from './messages.ts'
import { type EndArguments, scriptsOf } from './scripts.ts'
import { subscribe } from './subscription.ts'

/** Bytes that the bodies of all messages of one end may have; more, and the waiters are told to read. */
const INLINE_LIMIT = 1024 * 1024
/** ms: replies that took longer do not set the clock. */
const CLOCK_TRIP = 50
/** ms; about 285 years. Redis refuses an expiry that overflows its clock. */
const LONGEST_TTL = 2 ** 53 / 1000

/**
 * A store on a single Redis (6.2 or newer) or Valkey server, also behind Sentinel: a URL, ioredis options, or an
 * ioredis 5 or 6 client, which is duplicated and stays yours. Each cache opens two connections of its own.
 *
 * @throws TypeError or RangeError for what none of these is, and for a `keyPrefix` with braces
 */
export function redisStore(source: RedisSource): Store {
  const client = clientOf(source)
  const prefix = prefixOf(client)
  return { name: 'redis', open: (link) => open(client, prefix, link) }
}

function open(source: RedisClient, prefix: string, link: Link): Session {
  const { instanceId, commandTimeout } = link
  const names = namesOf(prefix + link.namespace)
  const inboxPrefix = names.inbox('')
  const fault = (error: unknown) => link.tell({ type: 'fault', error })
  /** Server time less `performance.now()`, ms. */
  let offset = performance.timeOrigin
  let clockKnown = false

  const commands = connect(source, commandTimeout, { fault, up: () => void readClock() })
  const subscription = subscribe(source, names, link)
  const { client } = commands
  const scripts = scriptsOf(client)

  async function readClock(): Promise<void> {
    try {
      const sentAt = performance.now()
      const [seconds, microseconds] = await commands.send(() => client.time())
      setClock(Number(seconds), Number(microseconds), sentAt)
    } catch (error) {
      fault(error)
    }
  }

  function setClock(seconds: number, microseconds: number, sentAt: number): void {
    const serverTime = seconds * 1000 + microseconds / 1000
    const now = performance.now()
    // Of a long trip nobody knows when in it the server looked at its clock: what was known before is better.
    if (!Number.isFinite(serverTime) || (clockKnown && now - sentAt > CLOCK_TRIP)) return
    offset = serverTime - (sentAt + now) / 2
    clockKnown = true
  }

  /** Runs the end script; the client tells the waiters that the script may not publish to. */
  async function end(id: string, given: Partial<EndArguments> & { readonly letter: string }): Promise<Ended> {
    const { token = '', letter, body = '', write = '', px = '' } = given
    const args = { token, id, inboxPrefix, letter, body, write, px, inlineLimit: INLINE_LIMIT }
    const [verdict, stored, refused, leader, told, ...unreached] = (
      await commands.send(() => scripts.end(names.entry(id), names.flight(id), args))
    ).map(String)
    if (verdict === 'FENCED') return { type: 'fenced' }
    if (unreached.length > 0) {
      const message = encodeMessage(
        told ?? letter,
        leader ?? '',
        id,
        told === VALUE || told === ERROR ? asBytes(body) : undefined,
      )
      const sent = unreached.map((waiter) => commands.send(() => client.publish(inboxPrefix + waiter, message)))
      // Who is not reached waits for the end of the lease.
      for (const result of await Promise.allSettled(sent)) if (result.status === 'rejected') fault(result.reason)
    }
    return { type: 'ok', stored: stored === '1', ...(refused ? { refused } : {}) }
  }

  return {
    async ready() {
      await Promise.all([commands.connected(), subscription.confirmed()])
    },

    now: () => offset + performance.now(),

    async read(id) {
      return (await commands.send(() => client.getBuffer(names.entry(id)))) ?? undefined
    },

    async readMany(ids) {
      const all = await commands.send(async () => (ids.length === 0 ? [] : client.mgetBuffer(ids.map(names.entry))))
      return all.map((bytes) => bytes ?? undefined)
    },

    async claim(id, { token, seen, lease }): Promise<ClaimReply> {
      const sentAt = performance.now()
      const reply = await commands.send(() =>
        scripts.claim(names.entry(id), names.flight(id), token, wholeMs(lease), instanceId, encodeSeen(seen)),
      )
      const [verdict, first, second, third] = reply
      switch (String(verdict)) {
        case 'HIT':
          return { type: 'hit' }
        case 'LEAD':
          setClock(Number(second), Number(third), sentAt)
          return { type: 'lead', present: decodePresent(first) }
        case 'WAIT':
          return { type: 'wait', token: String(first), leaseLeft: Number(second), present: decodePresent(third) }
        default:
          throw new StoreError('REFUSED', `claim replied ${String(verdict)}`)
      }
    },

    async renew(id, token, lease) {
      const waiters = Number(await commands.send(() => scripts.renew(names.flight(id), token, wholeMs(lease))))
      return waiters < 0 ? 'lost' : waiters
    },

    end: (id, token, ending) => end(id, { token, ...endingArguments(ending) }),

    async set(id, entry, ttl) {
      await end(id, { letter: VALUE, body: entry, write: 'set', px: expiryOf(ttl) })
    },

    async remove(id) {
      await end(id, { letter: AGAIN, write: 'del' })
    },

    async announce(notice: Notice) {
      await commands.send(() => client.publish(names.bus, encodeNotice(notice)))
    },

    async close() {
      await Promise.all([commands.close(), subscription.close()])
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

/** As SET takes it: whole ms, at least 1; empty for an entry without an end. */
function expiryOf(ttl: number): string {
  return ttl >= LONGEST_TTL ? '' : wholeMs(ttl)
}

function wholeMs(duration: number): string {
  return String(Math.max(1, Math.ceil(duration)))
}

function encodeSeen(seen: Seen): Buffer {
  if (seen === 'none') return Buffer.from('-')
  if (seen === 'any') return Buffer.from('*')
  return Buffer.concat([Buffer.from('='), seen])
}

function decodePresent(present: Buffer | undefined): Bytes | 'none' {
  return present === undefined || present.length === 0 || present[0] === 0x2d ? 'none' : present.subarray(1)
}

function asBytes(body: Bytes | ''): Bytes | undefined {
  return body === '' ? undefined : body
}
