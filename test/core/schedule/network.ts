import type { Bytes, Link, Notice, Session, Store, StoreEvent } from '../../../src/index.ts'
import { type Host, isAwake } from './host.ts'
import type { Ledger } from './ledger.ts'
import type { Random } from './random.ts'
import type { Subject } from './subject.ts'

/** Something on its way between an instance and the store. */
export interface Packet {
  readonly type: 'request' | 'reply' | 'event'
  readonly host: Host
  readonly text: string
  /** The step until which it is held up. */
  readonly heldUntil: number
  deliver(): void
  /** The connection broke: whoever waits for the reply is told so. */
  fail?(): void
}

/** Holds every request, reply and message between instances and one memory store until somebody says what becomes of it. */
export interface Network {
  readonly packets: readonly Packet[]
  storeOf(host: Host): Store
  /** What the store has under an id, from beside. */
  observe(id: string): Promise<Bytes | undefined>
  /** What may be delivered now. */
  deliverable(): Packet[]
  deliver(packet: Packet): void
  /** It is lost in silence. */
  lose(packet: Packet): void
  /** A second copy, of a message. */
  duplicate(packet: Packet): void
  /** Both connections of the host break: what is on them is lost or has run, and nobody knows which. */
  cut(host: Host): void
  /** The inbox is subscribed again. */
  mend(host: Host): void
  isCut(host: Host): boolean
  /** From now on nothing is held up. */
  hurry(): void
  /** The host is dead: nothing reaches it; of its requests some are on the wire. */
  crash(host: Host): void
}

export interface NetworkOptions {
  readonly subject: Subject
  readonly ledger: Ledger
  readonly random: Random
  readonly step: () => number
}

export function createNetwork({ subject, ledger, random, step }: NetworkOptions): Network {
  /** Whether a connection keeps its order, as one of TCP does; else even that is not relied on. */
  const ordered = random.chance(0.5)
  /** How many packets are held up: for so long that much else happens before they arrive. */
  const slow = random.pick([0, 0.1, 0.3])
  let hurried = false
  const store = subject.memoryStore()
  const observer = store.open({ namespace: 'atomcache', instanceId: 'observer', commandTimeout: 1, tell() {} })
  let packets: Packet[] = []
  const links = new Map<Host, Link>()
  const cuts = new Set<Host>()

  function push(packet: Omit<Packet, 'heldUntil'>): void {
    packets.push({ ...packet, heldUntil: random.chance(slow) ? step() + 5 + random.below(20) : 0 })
  }

  function take(packet: Packet): void {
    packets = packets.filter((other) => other !== packet)
  }

  function open(host: Host, link: Link): Session {
    links.set(host, link)
    const session = store.open({ ...link, tell: (event) => post(host, event) })
    const waiting = new Set<(error: unknown) => void>()
    const { StoreError } = subject

    /** Sends a request: `execute` runs when it reaches the store, and `told` sees what came of it there. */
    function send<T>(
      text: string,
      execute: () => Promise<T>,
      told: (reply: T) => string,
      answered: () => void = () => undefined,
    ): Promise<T> {
      if (host.closed) return Promise.reject(new StoreError('CLOSED', 'the session was closed'))
      return new Promise<T>((resolve, reject) => {
        waiting.add(reject)
        const answer = (settle: () => void, what: string) => {
          if (host.crashed) return
          const deliver = () => {
            waiting.delete(reject)
            answered()
            settle()
          }
          push({ type: 'reply', host, text: `${text}: ${what}`, deliver, fail })
        }
        const fail = () => {
          waiting.delete(reject)
          answered()
          reject(new StoreError('UNREACHABLE', 'the connection broke'))
        }
        const deliver = () => {
          execute().then(
            (reply) => answer(() => resolve(reply), told(reply)),
            (error: unknown) => answer(() => reject(error), String(error)),
          )
        }
        push({ type: 'request', host, text, deliver, fail })
      })
    }

    const nameOf = ledger.nameOf
    return {
      ready: () => session.ready(),
      now: () => session.now(),
      read(id) {
        return send(`read ${id}`, () => session.read(id), ledger.describe, ledger.asks(host, id, 'read'))
      },
      readMany: (ids) => send(`readMany ${ids}`, () => session.readMany(ids), String),
      claim(id, request) {
        const { token, lease } = request
        return send(
          `claim ${id} ${nameOf(token)}`,
          () => session.claim(id, request),
          (reply) => ledger.claimed(host, id, token, lease, reply),
          ledger.asks(host, id, 'claim'),
        )
      },
      renew: (id, token, lease) =>
        send(
          `renew ${id} ${nameOf(token)}`,
          () => session.renew(id, token, lease),
          (reply) => ledger.renewed(id, token, lease, reply),
        ),
      end: (id, token, ending) =>
        send(
          `end ${id} ${nameOf(token)} ${ending.type}`,
          () => session.end(id, token, ending),
          (reply) => ledger.ended(id, token, ending, reply),
        ),
      set(id, entry, ttl) {
        const { cause } = host
        return send(
          `set ${id}`,
          () => session.set(id, entry, ttl),
          () => ledger.changed(id, cause),
        )
      },
      remove(ids) {
        const { cause } = host
        return send(
          `remove ${ids}`,
          () => session.remove(ids),
          () => ids.map((id) => ledger.changed(id, cause)).join(),
        )
      },
      take: (id, token, lease) => session.take(id, token, lease),
      index: (id, tags, life) => session.index(id, tags, life),
      step: () => session.step(),
      mark: (tag, clock) => session.mark(tag, clock),
      members: (tag, at) => session.members(tag, at),
      sweep: (tag, clock) => session.sweep(tag, clock),
      list: (at) => session.list(at),
      announce: (notice: Notice) =>
        send(
          `announce ${notice.ids}`,
          () => session.announce(notice),
          () => 'ok',
        ),
      async close() {
        host.closed = true
        packets = packets.filter((packet) => packet.host !== host)
        for (const reject of waiting) reject(new StoreError('CLOSED', 'the session was closed'))
        waiting.clear()
        await session.close()
      },
    }
  }

  function post(host: Host, event: StoreEvent): void {
    if (event.type === 'message') ledger.told(host, event.message)
    if (host.crashed || host.closed || cuts.has(host)) return
    push({ type: 'event', host, text: textOf(event), deliver: () => links.get(host)?.tell(event) })
  }

  function textOf(event: StoreEvent): string {
    switch (event.type) {
      case 'message':
        return `message ${event.message.id} ${ledger.nameOf(event.message.token)}: ${event.message.outcome.type}`
      case 'notice':
        return `notice ${event.notice.ids}`
      case 'inbox':
        return `inbox ${event.confirmed ? 'confirmed' : 'lost'}`
      default:
        return event.type
    }
  }

  return {
    get packets() {
      return packets
    },
    storeOf: (host) => ({ name: 'memory', open: (link) => open(host, link) }),
    observe: (id) => observer.read(id),
    deliverable() {
      const firsts = new Set<string>()
      return packets.filter((packet) => {
        const { type, host, heldUntil } = packet
        const line = `${host.name} ${type}`
        const first = !firsts.has(line)
        firsts.add(line)
        if (type !== 'request' && !isAwake(host)) return false
        return (first || !ordered) && (hurried || heldUntil <= step())
      })
    },
    deliver(packet) {
      take(packet)
      packet.deliver()
    },
    lose: take,
    duplicate(packet) {
      packets.splice(random.below(packets.length + 1), 0, { ...packet })
    },
    cut(host) {
      cuts.add(host)
      const broken = packets.filter((packet) => packet.host === host)
      for (const packet of broken) {
        // A request that is on the wire may still run.
        if (packet.type !== 'request' || random.chance(0.5)) take(packet)
        packet.fail?.()
      }
      links.get(host)?.tell({ type: 'inbox', confirmed: false })
    },
    mend(host) {
      cuts.delete(host)
      post(host, { type: 'inbox', confirmed: true })
    },
    hurry() {
      hurried = true
    },
    isCut: (host) => cuts.has(host),
    crash(host) {
      packets = packets.filter((packet) => packet.host !== host || (packet.type === 'request' && random.chance(0.5)))
    },
  }
}
