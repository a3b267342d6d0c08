import type { Bytes, ClaimRequest, Ending, Notice, Session } from '../../../src/index.ts'
import type { Asking } from './asking.ts'
import type { Barrier, Barriers } from './barrier.ts'
import type { Host } from './host.ts'
import type { Ledger } from './ledger.ts'
import type { Pages } from './pages.ts'

/** How a request gets to the store, and its reply back. */
export interface Sending<T> {
  readonly text: string
  /** Runs when the request reaches the store. */
  execute(): Promise<T>
  /** Sees what came of it there, and says it. */
  told(reply: T): string
  /** Its end, whichever. */
  answered?(): void
  /** A client of a cluster does not send it again where it may have run. */
  readonly once?: boolean
}

export interface SessionOptions {
  readonly host: Host
  /** The store's own. */
  readonly session: Session
  readonly ledger: Ledger
  readonly asking: Asking
  readonly barriers: Barriers
  readonly pages: Pages
  readonly step: () => number
  send<T>(sending: Sending<T>): Promise<T>
  close(): void
  /** By notice: whose it is. */
  readonly notices: WeakMap<Notice, Barrier>
}

/** The store's session, each step of which is a request and a reply, which the ledger sees. */
export function createSession(options: SessionOptions): Session {
  const { host, session, ledger, asking, barriers, pages, send } = options
  const { nameOf } = ledger
  /** Of what is sent in the same step. */
  const barrierNow = () => (host.cause?.type === 'barrier' ? host.cause.barrier : undefined)

  return {
    ready: () => session.ready(),
    now: () => session.now(),
    read(id) {
      const answered = asking.asks(host, id, 'read')
      return send({ text: `read ${id}`, execute: () => session.read(id), told: ledger.describe, answered })
    },
    readMany: (ids) => send({ text: `readMany ${ids}`, execute: () => session.readMany(ids), told: String }),
    claim(id, request: ClaimRequest) {
      const { token, lease } = request
      return send({
        text: `claim ${id} ${nameOf(token)}`,
        execute: () => session.claim(id, request),
        told: (reply) => ledger.claimed(host, id, token, lease, reply),
        answered: asking.asks(host, id, 'claim'),
        once: true,
      })
    },
    renew: (id, token, lease) =>
      send({
        text: `renew ${id} ${nameOf(token)}`,
        execute: () => session.renew(id, token, lease),
        told: (reply) => ledger.renewed(id, token, lease, reply),
      }),
    end: (id, token, ending: Ending) =>
      send({
        text: `end ${id} ${nameOf(token)} ${ending.type}`,
        execute: () => session.end(id, token, ending),
        told: (reply) => ledger.ended(id, token, ending, reply),
      }),
    set: (id, entry: Bytes, ttl) =>
      send({
        text: `set ${id}`,
        execute: () => session.set(id, entry, ttl),
        told: () => ledger.set(id, entry),
        once: true,
      }),
    take: (id, token, lease) =>
      send({
        text: `take ${id} ${nameOf(token)}`,
        execute: () => session.take(id, token, lease),
        told: (clock) => `${ledger.taken(id, token, lease)}, clock ${clock}`,
        once: true,
      }),
    remove(ids) {
      const askers = barriers.removing(host, barrierNow())
      return send({
        text: `remove ${ids}`,
        execute: () => session.remove(ids),
        told: () => ids.map((id) => ledger.removed(id, askers)).join(),
      })
    },
    index: (id, tags, life) =>
      send({ text: `index ${id} ${tags}`, execute: () => session.index(id, tags, life), told: String }),
    step() {
      const barrier = barrierNow()
      const told = (clock: number) => {
        barriers.stepped(barrier)
        return String(clock)
      }
      return send({ text: 'step', execute: () => session.step(), told })
    },
    mark: (tag, clock) =>
      send({ text: `mark ${tag} ${clock}`, execute: () => session.mark(tag, clock), told: () => 'ok', once: true }),
    members: (tag, at) =>
      send({
        text: `members ${tag} ${at ?? ''}`,
        execute: () => pages.members(session, tag, at),
        told: ({ ids }) => String(ids),
      }),
    sweep: (tag, clock) =>
      send({ text: `sweep ${tag} ${clock}`, execute: () => session.sweep(tag, clock), told: () => 'ok' }),
    list(at) {
      const barrier = at === undefined ? barrierNow() : undefined
      const told = ({ ids, tags }: { readonly ids: readonly string[]; readonly tags: readonly string[] }) => {
        barriers.listed(barrier)
        return `${ids} ${tags}`
      }
      return send({ text: `list ${at ?? ''}`, execute: () => pages.list(session, at), told })
    },
    announce(notice: Notice) {
      const { ids, tags, all } = notice
      // What an invalidation detaches at its reply is detached right before.
      for (const key of all || tags.length > 0 ? ['all'] : ids) host.detached.push({ key, at: options.step() })
      const barrier = barriers.announced(host, [...ids, ...tags], all)
      if (barrier !== undefined) options.notices.set(notice, barrier)
      const text = `announce ${all ? 'all' : [...ids, ...tags]}`
      return send({ text, execute: () => session.announce(notice), told: () => 'ok' })
    },
    enter: (group, ticket, places, lease) =>
      send({
        text: `enter ${group}`,
        execute: () => session.enter(group, ticket, places, lease),
        told: ({ ahead }) => String(ahead),
      }),
    leave: (group, ticket, places) =>
      send({ text: `leave ${group}`, execute: () => session.leave(group, ticket, places), told: () => 'ok' }),
    async close() {
      options.close()
      await session.close()
    },
  }
}
