import type { Link, Session, Standing } from '../../core/store.ts'
import { batched } from './batch.ts'
import { wholeMs } from './durations.ts'
import type { Names } from './keys.ts'
import { AGAIN, encodeMessage } from './messages.ts'
import type { Scripts } from './scripts.ts'
import type { Wiring } from './wiring.ts'

/** So many tickets are moved by one script: it keeps others waiting. */
const MOVED_AT_ONCE = 100

interface Ticket {
  readonly group: string
  readonly ticket: string
  readonly places: number
}

interface Entering extends Ticket {
  readonly lease: number
}

/** The part of a session that is about the queues of groups. */
export function placeSteps(
  { send, publish }: Wiring,
  scripts: Scripts,
  names: Names,
  link: Link,
): Pick<Session, 'enter' | 'leave'> {
  const { instanceId } = link
  const inboxPrefix = names.inbox('')
  const keysOf = (group: string) => [names.queue(group), names.leases(group)]

  /** Tells those that a script may not publish to. */
  async function tell(group: string, unreached: readonly Buffer[]): Promise<void> {
    const said = unreached.map(String)
    const sent: Promise<unknown>[] = []
    for (let i = 0; i < said.length; i += 2) {
      const [ticket = '', instance = ''] = said.slice(i, i + 2)
      sent.push(publish(inboxPrefix + instance, encodeMessage(AGAIN, ticket, group)))
    }
    // Who is not reached asks again by itself.
    for (const result of await Promise.allSettled(sent)) {
      if (result.status === 'rejected') link.tell({ type: 'fault', error: result.reason })
    }
  }

  async function enterAll(group: string, tickets: readonly Entering[]): Promise<Standing[]> {
    const given = tickets.map(({ ticket, places, lease }) => ({ ticket, places, lease: wholeMs(lease) }))
    const replies = await send(() => scripts.enter(keysOf(group), inboxPrefix, group, instanceId, given))
    await tell(group, replies.at(-1) ?? [])
    return replies.slice(0, -1).map(([ahead, left]) => ({ ahead: Number(ahead), leaseLeft: Number(left) }))
  }

  async function leaveAll(group: string, tickets: readonly Ticket[]): Promise<undefined[]> {
    await tell(group, await send(() => scripts.leave(keysOf(group), inboxPrefix, group, instanceId, tickets)))
    return tickets.map(() => undefined)
  }

  const enter = batched<Entering, Standing>({ most: MOVED_AT_ONCE, defer: process.nextTick }, byGroup(enterAll))
  const leave = batched<Ticket, undefined>({ most: MOVED_AT_ONCE, defer: queueMicrotask }, byGroup(leaveAll))
  return {
    enter: (group, ticket, places, lease) => enter({ group, ticket, places, lease }),
    leave: (group, ticket, places) => leave({ group, ticket, places }),
  }
}

/** One command for the tickets of each group; the answers in order. */
function byGroup<T extends Ticket, R>(move: (group: string, tickets: readonly T[]) => Promise<readonly R[]>) {
  return async (tickets: readonly T[]): Promise<(R | Error)[]> => {
    const groups = new Map<string, number[]>()
    for (const [i, { group }] of tickets.entries()) {
      const places = groups.get(group)
      if (places === undefined) groups.set(group, [i])
      else places.push(i)
    }
    const answers: (R | Error)[] = []
    await Promise.all(
      [...groups].map(async ([group, at]) => {
        try {
          const moved = await move(
            group,
            at.map((i) => tickets[i] as T),
          )
          for (const [n, i] of at.entries()) answers[i] = moved[n] as R
        } catch (error) {
          for (const i of at) answers[i] = error as Error
        }
      }),
    )
    return answers
  }
}
