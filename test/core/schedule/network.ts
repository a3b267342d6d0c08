import type { Bytes, Link, Notice, Session, Store, StoreEvent } from '../../../src/index.ts'
import type { Asking } from './asking.ts'
import type { Barrier, Barriers } from './barrier.ts'
import { clustered } from './clustered.ts'
import { type Host, isAwake } from './host.ts'
import type { Ledger } from './ledger.ts'
import { pagesOf, whole } from './pages.ts'
import type { Random } from './random.ts'
import { createSession, type Sending } from './session.ts'
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
  /** Of a cluster: the connection breaks, and it is sent once more. */
  resend?(): void
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
  /** It is sent once more, and both copies may arrive. */
  resend(packet: Packet): void
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
  readonly asking: Asking
  readonly barriers: Barriers
  readonly keys: readonly string[]
  readonly random: Random
  readonly step: () => number
}

export function createNetwork(options: NetworkOptions): Network {
  const { subject, ledger, asking, barriers, keys, random, step } = options
  const isCluster = random.chance(0.35)
  /** Whether a connection keeps its order, as one of TCP does; else even that is not relied on. A cluster has many. */
  const ordered = random.chance(0.5) && !isCluster
  const pages = random.chance(0.7) ? pagesOf(keys) : whole
  /** How many packets are held up: for so long that much else happens before they arrive. */
  const slow = random.pick([0, 0.1, 0.3])
  let hurried = false
  const store = subject.memoryStore()
  const beside = { instanceId: 'observer', commandTimeout: 1, tell() {} }
  const observer = store.open({ namespace: 'atomcache', ...beside })
  const watch = store.open({ namespace: 'clock', ...beside })
  const notices = new WeakMap<Notice, Barrier>()
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
    const waiting = new Set<(error: unknown) => void>()
    const { StoreError } = subject

    function send<T>(sending: Sending<T>): Promise<T> {
      const { text, execute, told, answered } = sending
      if (host.closed) return Promise.reject(new StoreError('CLOSED', 'the session was closed'))
      return new Promise<T>((resolve, reject) => {
        waiting.add(reject)
        const settled = () => {
          waiting.delete(reject)
          answered?.()
        }
        const fail = () => {
          settled()
          reject(new StoreError('UNREACHABLE', 'the connection broke'))
        }
        const answer = (settle: () => void, what: string) => {
          if (host.crashed) return
          const deliver = () => {
            settled()
            settle()
          }
          push({ type: 'reply', host, text: `${text}: ${what}`, deliver, fail })
        }
        const deliver = () => {
          execute().then(
            (reply) => answer(() => resolve(reply), told(reply)),
            (error: unknown) => answer(() => reject(error), String(error)),
          )
        }
        const request = { type: 'request', host, text, deliver, fail } as const
        const resend = () => {
          // The first copy may arrive before the second, after it, or never; nobody waits for its reply.
          const first = () => execute().then(told, () => undefined)
          push({ type: 'request', host, text: `${text}, first copy`, deliver: first })
          push(request)
        }
        push(isCluster && !sending.once ? { ...request, resend } : request)
      })
    }

    function close(): void {
      host.closed = true
      packets = packets.filter((packet) => packet.host !== host)
      for (const reject of waiting) reject(new StoreError('CLOSED', 'the session was closed'))
      waiting.clear()
    }

    const session = store.open({ ...link, tell: (event) => post(host, event) })
    const single = createSession({ host, session, ledger, asking, barriers, pages, step, send, close, notices })
    const readClock = () => send({ text: 'clock', execute: clockNow, told: String })
    const outer = isCluster ? clustered(single, readClock, ledger) : single
    return {
      ...outer,
      take(id, token, lease) {
        // In a cluster it is sent later than it is asked for.
        if (host.cause?.type === 'barrier') barriers.takes(host.cause.barrier, token)
        return outer.take(id, token, lease)
      },
    }
  }

  /** As another server reads it: no method does just that. */
  async function clockNow(): Promise<number> {
    const reply = await watch.claim('', { token: 'the-clock-itself', seen: 'any', lease: 1 })
    return (reply.type === 'lead' && reply.clock) || 0
  }

  function post(host: Host, event: StoreEvent): void {
    if (event.type === 'message') ledger.told(host, event.message)
    if (host.crashed || host.closed || cuts.has(host)) return
    const deliver = () => {
      const barrier = event.type === 'notice' ? notices.get(event.notice) : undefined
      if (barrier !== undefined) host.heard.push(barrier)
      links.get(host)?.tell(event)
    }
    push({ type: 'event', host, text: textOf(event), deliver })
  }

  function textOf(event: StoreEvent): string {
    switch (event.type) {
      case 'message':
        return `message ${event.message.id} ${ledger.nameOf(event.message.token)}: ${event.message.outcome.type}`
      case 'notice':
        return `notice ${event.notice.all ? 'all' : [...event.notice.ids, ...event.notice.tags]}`
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
    resend(packet) {
      take(packet)
      packet.resend?.()
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
