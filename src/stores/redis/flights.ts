import type { Bytes } from '../../core/codec.ts'
import { StoreError } from '../../core/errors.ts'
import { inParts } from '../../core/parts.ts'
import type { ClaimReply, ClaimRequest, Ended, Ending, Link, Seen, Session } from '../../core/store.ts'
import { batched } from './batch.ts'
import type { Clock } from './clock.ts'
import { expiryOf, wholeMs } from './durations.ts'
import { gatherReplies, PATIENCE_SHARE } from './gather.ts'
import { inTime, inTimeOrFail } from './inTime.ts'
import type { Names } from './keys.ts'
import { AGAIN, ALONE, ERROR, encodeMessage, QUEUED, VALUE } from './messages.ts'
import { refusalOf } from './refusal.ts'
import type { EndArguments, Scripts } from './scripts.ts'
import { tagClock } from './tags.ts'
import type { Wiring } from './wiring.ts'

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
/** So many ids are removed by one script. */
const REMOVED_AT_ONCE = 50

/** What the claims, or the ends, of one script weigh at most: it keeps others waiting. */
const CLAIMED_AT_ONCE = 100
const ENDED_AT_ONCE = 100
/** Bytes of an entry that weigh as much as an end without one. */
const BYTES_OF_AN_END = 4096

/** Who waits for a flight, and what they are told. */
interface Telling {
  readonly id: string
  readonly token: string
  readonly letter: string
  readonly body?: Bytes | undefined
  readonly waiters: readonly string[]
}

/** A claim of one id. */
interface OneClaim {
  readonly id: string
  readonly request: ClaimRequest
}

/** The part of a session that is about flights. */
export function flightSteps(
  wiring: Wiring,
  scripts: Scripts,
  names: Names,
  link: Link,
  clock: Clock,
): Pick<Session, 'claim' | 'renew' | 'end' | 'set' | 'take' | 'remove'> {
  const { clustered, send, sendOnce, publish } = wiring
  const { instanceId, commandTimeout } = link
  const fault = (error: unknown) => link.tell({ type: 'fault', error })
  const inboxPrefix = names.inbox('')
  const inlineLimit = clustered ? CLUSTER_INLINE_LIMIT : INLINE_LIMIT
  /** Of the scripts that read the clock of tags too, where it is on the same server; else it is read beside them. */
  const clockKeys: readonly string[] = clustered ? [] : [names.clock]
  const readTagClock = tagClock(wiring, scripts, names)
  const gather = gatherReplies(commandTimeout * PATIENCE_SHARE)
  const keysOf = (ids: readonly string[]) => ids.flatMap((id) => [names.entry(id), names.flight(id)])

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

  const claimReply = batched<OneClaim, Buffer[]>(
    { most: clustered ? 1 : CLAIMED_AT_ONCE, defer: process.nextTick },
    async (claims) => {
      const given = claims.map(({ request: { token, lease, seen } }) => {
        return { token, lease: wholeMs(lease), seen: encodeSeen(seen) }
      })
      const keys = [...keysOf(claims.map(({ id }) => id)), ...clockKeys]
      return sendOnce(() => scripts.claim(keys, instanceId, given))
    },
  )

  async function claim(id: string, request: ClaimRequest): Promise<ClaimReply> {
    const sentAt = performance.now()
    const clockBeside = clustered
      ? inTime(
          readTagClock().catch((error) => void fault(error)),
          commandTimeout * CLOCK_SHARE,
        )
      : undefined
    const [verdict, first, second, third, fourth] = await claimReply({ id, request })
    switch (String(verdict)) {
      case 'HIT':
        return { type: 'hit' }
      case 'LEAD':
        clock.set(Number(second), Number(third), sentAt)
        return { type: 'lead', present: decodePresent(first), clock: await (clockBeside ?? repliedClock(fourth)) }
      case 'WAIT':
        return {
          type: 'wait',
          token: String(first),
          leaseLeft: Number(second),
          present: decodePresent(third),
          queued: fourth !== undefined && fourth.length > 0,
        }
      default:
        throw refusalOf(String(first))
    }
  }

  const runEnds = (endings: readonly EndArguments[], sendIt = send) =>
    sendIt(() => scripts.end(keysOf(endings.map(({ id }) => id)), inboxPrefix, inlineLimit, endings))

  const endReply = batched<EndArguments, Buffer[]>(
    {
      most: clustered ? 1 : ENDED_AT_ONCE,
      weigh: ({ body }) => 1 + body.length / BYTES_OF_AN_END,
      defer: queueMicrotask,
    },
    (endings) => runEnds(endings),
  )

  /** What came of the end script for one id; it tells those that the script could not. */
  async function ended({ id, letter, body }: EndArguments, reply: readonly Buffer[]): Promise<Ended> {
    const [verdict, stored, why, leader = '', told = letter, ...waiters] = reply.map(String)
    if (verdict === 'FENCED') return { type: 'fenced' }
    if (verdict === 'ERROR') throw refusalOf(stored ?? '')
    const toldBody = told === VALUE || told === ERROR ? bytesOf(body) : undefined
    await tell({ id, token: leader, letter: told, body: toldBody, waiters })
    return { type: 'ok', stored: stored === '1', ...(why ? { refused: why } : {}) }
  }

  async function removeSome(ids: readonly string[]): Promise<void> {
    const unreached = (await send(() => scripts.remove(keysOf(ids), inboxPrefix, ids))).map(String)
    for (let i = 0; i < unreached.length; i += 3) {
      const [id = '', token = '', waiter = ''] = unreached.slice(i, i + 3)
      await tell({ id, token, letter: AGAIN, waiters: [waiter] })
    }
  }

  return {
    claim: (id, request) => gather(wiring.serverName(names.entry(id)), claim(id, request)),

    async renew(id, token, lease, queued = false) {
      const flight = names.flight(id)
      const [count, ...waiters] = (
        await send(() => scripts.renew(flight, token, wholeMs(lease), queued, inboxPrefix, id))
      ).map(String)
      await tell({ id, token, letter: QUEUED, waiters })
      return Number(count) < 0 ? 'lost' : Number(count)
    },

    async end(id, token, ending) {
      const args = { ...NOTHING, id, token, ...endingArguments(ending) }
      return ended(args, await endReply(args))
    },

    async set(id, entry, ttl) {
      const args = { ...NOTHING, id, letter: VALUE, body: entry, write: 'set', px: expiryOf(ttl) } as const
      const [reply = []] = await runEnds([args], sendOnce)
      await ended(args, reply)
    },

    async take(id, token, lease) {
      // Before the flight is taken: an invalidation between the two must have more.
      const before = clustered ? await inTimeOrFail(readTagClock(), commandTimeout * TAKE_CLOCK_SHARE) : undefined
      const [replied, leader, ...waiters] = await sendOnce(() =>
        scripts.take([...keysOf([id]), ...clockKeys], token, wholeMs(lease), id, inboxPrefix),
      )
      await tell({ id, token: String(leader), letter: AGAIN, waiters: waiters.map(String) })
      const now = before ?? repliedClock(replied)
      if (now === undefined) throw new StoreError('WRONG_TYPE', `${names.clock} is not a clock`)
      return now
    },

    async remove(ids) {
      const parts = inParts(ids, clustered ? 1 : REMOVED_AT_ONCE)
      const removals = parts.map(removeSome)
      // One server may be silent, and the others not: which ids are its own must be known before the whole budget is spent.
      const timely = removals.map((one) => (clustered ? inTimeOrFail(one, commandTimeout * REMOVE_SHARE) : one))
      const results = await Promise.allSettled(timely)
      const failed = parts.filter((_, i) => results[i]?.status === 'rejected').flat()
      const cause = results.find((result) => result.status === 'rejected')?.reason as StoreError | undefined
      if (cause !== undefined) throw new StoreError(cause.code, cause.message, { cause, ids: failed })
    },
  }
}

const NOTHING = { token: '', body: '', write: '', px: '' } as const

function endingArguments(ending: Ending): Partial<EndArguments> & { readonly letter: string } {
  switch (ending.type) {
    case 'value':
      return { letter: VALUE, body: ending.entry, write: 'set', px: expiryOf(ending.ttl) }
    case 'share':
      // Too large for a message, and nowhere to be read: it need not be sent at all.
      return ending.entry.byteLength > INLINE_LIMIT
        ? { letter: ALONE, write: writeOf(ending) }
        : { letter: VALUE, body: ending.entry, write: writeOf(ending) }
    case 'error':
      return { letter: ERROR, body: ending.error, write: writeOf(ending) }
    case 'again':
      return { letter: AGAIN }
    case 'alone':
      return { letter: ALONE, write: writeOf(ending) }
    default:
      return ending satisfies never
  }
}

function writeOf({ outdates }: Ending & { type: 'share' | 'error' | 'alone' }): 'del' | '' {
  return outdates === true ? 'del' : ''
}

function encodeSeen(seen: Seen): string | Buffer {
  if (seen === 'none') return '-'
  if (seen === 'any') return '*'
  return Buffer.concat([Buffer.from('='), seen])
}

function decodePresent(present: Buffer | undefined): Bytes | 'none' {
  return present === undefined || present.length === 0 || present[0] === 0x2d ? 'none' : present.subarray(1)
}

function bytesOf(body: Bytes | ''): Bytes | undefined {
  return body === '' ? undefined : body
}
