import { decodeEntry } from '../../../src/core/entry.ts'
import type { Bytes, Ended, Ending, Message, Session } from '../../../src/index.ts'
import type { Cause, Host } from './host.ts'
import { isBefore, type Origin, type Value } from './origin.ts'

/** Sees every step of the store, and knows from these alone what must hold. */
export interface Ledger {
  /** The first thing that was wrong. */
  readonly violation: string | undefined
  accuse(violation: string): void
  /** `t1`, `t2`, … for the random tokens, by first use. */
  nameOf(token: string): string
  describe(bytes: Bytes | undefined): string
  /** A read or claim is sent; the result is to be called with its end. */
  asks(host: Host, id: string, op: 'read' | 'claim'): () => void
  /** The host waits no longer for the reply to such a one. */
  gaveUp(host: Host, id: string, op: string): void
  claimed(host: Host, id: string, token: string, lease: number, reply: Claim): string
  renewed(id: string, token: string, lease: number, reply: number | 'lost'): string
  ended(id: string, token: string, ending: Ending, reply: Ended): string
  /** A direct set or a removal was done. */
  changed(id: string, cause: Cause | undefined): string
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
  readonly step: () => number
  /** The step in which the longest waiting caller of the host and key asked. */
  readonly oldest: (host: Host, key: string) => number
}

export function createLedger({ origin, step, oldest }: LedgerOptions): Ledger {
  const names = new Map<string, string>()
  const flights = new Map<string, Flight>()
  const values = new WeakMap<Bytes, Value>()
  /** Who must have been told of a flight's end by now. */
  const owed = new Map<string, string>()
  const told = new Set<string>()
  const asking = new Set<{ readonly host: Host; readonly id: string; readonly op: string; readonly at: number }>()
  let violation: string | undefined

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

  return {
    get violation() {
      return violation
    },
    accuse,
    nameOf,
    describe: (bytes) =>
      bytes === undefined ? 'nothing' : `version ${valueIn(bytes).version} of ${valueIn(bytes).by}`,

    asks(host, id, op) {
      if (host.cause?.type === 'get') return () => undefined
      const ask = { host, id, op, at: step() }
      asking.add(ask)
      const open = [...asking].filter((other) => other.host === host && other.id === id)
      // A flight that was detached goes on for the callers it has.
      const since = Math.min(oldest(host, id), ...open.map((other) => other.at))
      // A flight and one of forced refreshes may ask at once; the more so where new callers may not join those.
      const most = 2 * (1 + host.detached.filter(({ key, at }) => key === id && at >= since).length)
      if (open.length > most)
        accuse(`I8: ${host.name} asks for ${id} ${open.length} times at once, at most ${most} may`)
      return () => asking.delete(ask)
    },

    gaveUp(host, id, op) {
      for (const ask of asking) {
        if (ask.host === host && ask.id === id && ask.op === op) return void asking.delete(ask)
      }
    },

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

    ended(id, token, ending, reply) {
      const holds = flightOf(id)?.token === token
      if (reply.type === 'fenced') {
        if (holds) accuse(`${nameOf(token)} is fenced, and leads ${id}`)
        return 'fenced'
      }
      if (!holds) accuse(`I2: ${nameOf(token)} ends the flight of ${id} (${ending.type}) and does not hold it`)
      if (reply.stored && ending.type === 'value') {
        const run = origin.runOf(valueIn(ending.entry))
        if (run === undefined) accuse(`I2: what ${nameOf(token)} stores was not computed by a loader`)
        else run.publishedAt = step()
      }
      end(id)
      return reply.stored ? 'stored' : 'told'
    },

    changed(id, cause) {
      if (cause?.type === 'barrier') cause.barrier.executedAt = step()
      else accuse(`I2: ${id} was changed, and nobody asked for it`)
      end(id)
      return 'ok'
    },

    told(host, message) {
      told.add(`${host.name} ${message.token}`)
      owed.delete(`${host.name} ${message.token}`)
    },

    check(stored) {
      for (const debt of owed.values()) accuse(`I5: ${debt}`)
      for (const [key, bytes] of stored) {
        if (bytes === undefined) continue
        const value = valueIn(bytes)
        const known = origin.runOf(value) ?? origin.barrierOf(value)
        if (known === undefined || known.key !== key) accuse(`I10: ${key} holds what is of ${known?.key ?? 'nobody'}`)
        for (const barrier of origin.barriers) {
          if (barrier.key !== key || barrier.returnedAt === undefined || !isBefore(origin, value, barrier)) continue
          accuse(
            `I3: the store has version ${value.version} of ${value.by} after ${barrier.name} (version ${barrier.version})`,
          )
        }
      }
    },
  }
}
