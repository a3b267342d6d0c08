import { decodeEntry } from '../../../src/core/entry.ts'
import type { Bytes, Ended, Ending, Message, Session } from '../../../src/index.ts'
import type { Barrier, Barriers } from './barrier.ts'
import type { Host } from './host.ts'
import { type Origin, textOf, type Value } from './origin.ts'
import { tagsIn } from './tagging.ts'

/** Sees every step of the store, and knows from these alone what must hold. */
export interface Ledger {
  /** The first thing that was wrong. */
  readonly violation: string | undefined
  /** What is stored. */
  readonly stored: readonly Value[]
  accuse(violation: string): void
  /** `t1`, `t2`, … for the random tokens, by first use. */
  nameOf(token: string): string
  describe(bytes: Bytes | undefined): string
  claimed(host: Host, id: string, token: string, lease: number, reply: Claim): string
  renewed(id: string, token: string, lease: number, reply: number | 'lost'): string
  /** A leader learnt that it leads, and not the clock of tags. */
  clockless(token: string): void
  ended(id: string, token: string, ending: Ending, reply: Ended): string
  /** A write took the flight. */
  taken(id: string, token: string, lease: number): string
  /** A direct set without a flight was done. */
  set(id: string, entry: Bytes): string
  removed(id: string, askers: readonly Barrier[]): string
  told(host: Host, message: Message): void
  /** To be called after each step, with what the store has. */
  check(stored: readonly (readonly [key: string, bytes: Bytes | undefined])[]): void
}

type Claim = Awaited<ReturnType<Session['claim']>>

interface Flight {
  readonly token: string
  leaseEndsAt: number
  readonly waiters: Set<Host>
}

export interface LedgerOptions {
  readonly origin: Origin
  readonly barriers: Barriers
  readonly step: () => number
  count(what: 'a leader without the clock'): void
}

export function createLedger({ origin, barriers, step, count }: LedgerOptions): Ledger {
  const names = new Map<string, string>()
  const flights = new Map<string, Flight>()
  const values = new WeakMap<Bytes, Value>()
  /** Who must have been told of a flight's end by now. */
  const owed = new Map<string, string>()
  const told = new Set<string>()
  const clockless = new Set<string>()
  /** Ids of which a leader had a value that is not to be stored: what it was to replace is removed then. */
  const unstored = new Set<string>()
  /** By token: when it took the flight. */
  const takenAt = new Map<string, number>()
  /** By id: the stamp of what is stored, unless it has expired. */
  const stamps = new Map<string, string>()
  let violation: string | undefined
  let present: readonly Value[] = []

  function accuse(what: string): void {
    violation ??= what
  }

  function nameOf(token: string): string {
    const name = names.get(token) ?? `t${names.size + 1}`
    names.set(token, name)
    return name
  }

  function valueIn(bytes: Bytes): Value {
    let value = values.get(bytes)
    if (value === undefined) {
      const entry = decodeEntry(bytes)
      if (entry === undefined) throw new Error('the store holds what is no entry')
      value = JSON.parse(Buffer.from(entry.payload).toString()) as Value
      values.set(bytes, value)
    }
    return value
  }

  /** The flight whose leader is not fenced. */
  function flightOf(id: string): Flight | undefined {
    const flight = flights.get(id)
    return flight !== undefined && flight.leaseEndsAt > performance.now() ? flight : undefined
  }

  function end(id: string): void {
    const flight = flightOf(id)
    flights.delete(id)
    if (flight === undefined) return
    for (const host of flight.waiters) {
      if (host.closed || told.has(`${host.name} ${flight.token}`)) continue
      const debt = `${host.name} was told to wait for ${nameOf(flight.token)}, and is not told that it ended`
      owed.set(`${host.name} ${flight.token}`, debt)
    }
  }

  /** The value of a write or of a leader is in the store. */
  function stored(id: string, token: string, value: Value): void {
    stamps.set(id, token)
    const run = origin.runOf(value)
    const set = barriers.of(value)
    if (run !== undefined) run.publishedAt = step()
    else if (set?.parts[0] === undefined) accuse(`I2: what ${nameOf(token)} stores was not computed by a loader`)
    else {
      set.storedAt = step()
      // A write with tags is as old as its taking; one that took nothing has nothing younger than its call.
      const unfenced = tagsIn(value).length > 0 ? set.calledAt : step()
      set.parts[0].executedAt = takenAt.get(token) ?? unfenced
    }
  }

  return {
    get violation() {
      return violation
    },
    get stored() {
      return present
    },
    accuse,
    nameOf,
    describe: (bytes) => (bytes === undefined ? 'nothing' : textOf(valueIn(bytes))),

    claimed(host, id, token, lease, reply) {
      const flight = flightOf(id)
      switch (reply.type) {
        case 'lead':
          if (flight !== undefined && flight.token !== token) {
            accuse(`I1: ${nameOf(token)} leads ${id} beside ${nameOf(flight.token)}, which is not fenced`)
          }
          flights.set(id, { token, leaseEndsAt: performance.now() + lease, waiters: flight?.waiters ?? new Set() })
          return 'lead'
        case 'wait':
          if (flight?.token !== reply.token)
            accuse(`${host.name} waits for ${nameOf(reply.token)}, which does not lead`)
          flight?.waiters.add(host)
          return `wait ${nameOf(reply.token)}`
        default:
          return reply.type
      }
    },

    renewed(id, token, lease, reply) {
      const flight = flightOf(id)
      if ((reply === 'lost') !== (flight?.token !== token)) accuse(`${nameOf(token)} is told ${reply} at its renewal`)
      if (flight !== undefined && reply !== 'lost') flight.leaseEndsAt = performance.now() + lease
      return String(reply)
    },

    clockless(token) {
      clockless.add(token)
      count('a leader without the clock')
    },

    ended(id, token, ending, reply) {
      const holds = flightOf(id)?.token === token
      const value = ending.type === 'value' || ending.type === 'share' ? valueIn(ending.entry) : undefined
      const set = value && barriers.of(value)
      if (reply.type === 'fenced') {
        if (holds) accuse(`${nameOf(token)} is fenced, and leads ${id}`)
        if (set !== undefined) set.lost = true
        return 'fenced'
      }
      // Sent twice: the first has stored it.
      if (!holds && reply.stored && stamps.get(id) === token) return 'stored before'
      if (!holds) accuse(`I2: ${nameOf(token)} ends the flight of ${id} (${ending.type}) and does not hold it`)
      if (value !== undefined && tagsIn(value).length > 0 && clockless.has(token))
        accuse(`tags: ${nameOf(token)} ends with ${textOf(value)}, and does not know the clock`)
      if (value !== undefined && reply.stored) stored(id, token, value)
      if (ending.type === 'alone' || ending.type === 'share') unstored.add(id)
      end(id)
      return reply.stored ? 'stored' : 'told'
    },

    taken(id, token, lease) {
      const former = flightOf(id)
      const again = former?.token === token
      if (!again) end(id)
      const waiters = again ? former.waiters : new Set<Host>()
      flights.set(id, { token, leaseEndsAt: performance.now() + lease, waiters })
      stamps.delete(id)
      takenAt.set(token, step())
      barriers.taken(token)
      return 'taken'
    },

    set(id, entry) {
      const value = valueIn(entry)
      if (barriers.of(value) === undefined) accuse(`I2: ${id} was set, and nobody asked for it`)
      stored(id, '', value)
      end(id)
      return 'ok'
    },

    removed(id, askers) {
      if (!barriers.removed(id, askers) && !unstored.has(id)) accuse(`I2: ${id} was removed, and nobody asked for it`)
      stamps.delete(id)
      end(id)
      return id
    },

    told(host, message) {
      told.add(`${host.name} ${message.token}`)
      owed.delete(`${host.name} ${message.token}`)
    },

    check(stored) {
      present = stored.flatMap(([, bytes]) => (bytes === undefined ? [] : valueIn(bytes)))
      for (const debt of owed.values()) accuse(`I5: ${debt}`)
      for (const [key, bytes] of stored) {
        if (bytes === undefined) continue
        const value = valueIn(bytes)
        const set = barriers.of(value)
        const known = origin.runOf(value)?.key ?? set?.parts[0]?.item
        if (known !== key) accuse(`I10: ${key} holds what is of ${known ?? 'nobody'}`)
        if (set?.lost) accuse(`I3: the store has ${textOf(value)}, which has lost`)
        for (const barrier of barriers.all) {
          const part = barrier.parts.find((one) => one.returnedAt !== undefined && barriers.isBefore(value, one))
          if (part === undefined) continue
          accuse(`I3: the store has ${textOf(value)} after ${barrier.name} (${part.item}${part.version})`)
        }
      }
    },
  }
}
