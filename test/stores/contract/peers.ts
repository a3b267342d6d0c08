import { randomBytes } from 'node:crypto'
import type { Bytes } from '../../../src/core/codec.ts'
import { encodeEntry, NO_WINDOWS } from '../../../src/core/entry.ts'
import type { ClaimReply, Message, Notice, Session, Store, StoreEvent } from '../../../src/core/store.ts'
import { testNamespace } from '../../redis/namespace.ts'

/** Makes stores that share the same data. */
export type StoreFactory = () => Store

/** What the contract is tested on: see `contract.ts`. */
export interface StoreSource {
  open(): StoreFactory | Promise<StoreFactory>
}

/** ms that anything may take which has to come. */
export const DEADLINE = 5000
/** ms; a lease that no test waits for. */
export const LONG = 60_000

/** A session as one cache of its own would have it, and what it was told. */
export interface Peer {
  readonly session: Session
  readonly namespace: string
  readonly instanceId: string
  readonly messages: readonly Message[]
  readonly notices: readonly Notice[]
  readonly faults: readonly unknown[]
  readonly evictions: readonly { readonly policy: string; readonly evicted: number }[]
  /** Every `inbox` event so far. */
  readonly inbox: readonly boolean[]
  /** What was told in breach of the rule: from inside a call. */
  readonly breaches: readonly StoreEvent[]
  /** Claims with a token of its own, and expects to lead. */
  lead(id: string, lease?: number): Promise<string>
  /** Claims, and expects to wait. */
  wait(id: string): Promise<ClaimReply & { type: 'wait' }>
  /** The message about this flight; rejects after the deadline. */
  message(token: string): Promise<Message>
  notice(accept: (notice: Notice) => boolean): Promise<Notice>
  /** Waits until what was told makes this true. */
  told(holds: () => boolean, what: string): Promise<void>
}

export interface PeerOptions {
  readonly namespace?: string
  readonly instanceId?: string
  readonly commandTimeout?: number
  /** Do not wait until the session is ready. */
  readonly unready?: boolean
}

export interface Peers extends AsyncDisposable {
  readonly namespace: string
  /** Opens one more store of the factory for one more cache, and waits until it is ready. */
  join(options?: PeerOptions): Promise<Peer>
  /** Resolves when everybody has been told of a flight that began now: what was told before has arrived. */
  settle(): Promise<void>
}

export async function openPeers(source: StoreSource): Promise<Peers> {
  const factory = await source.open()
  const namespace = testNamespace('contract')
  const all: Peer[] = []

  return {
    namespace,
    async join(options = {}) {
      const peer = openPeer(factory(), { namespace, ...options })
      all.push(peer)
      if (options.unready !== true) await peer.session.ready()
      return peer
    },
    async settle() {
      await Promise.all([...new Set(all.map((peer) => peer.namespace))].map((ns) => settleAll(all, ns)))
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map(({ session }) => session.close()))
      const breaches = all.flatMap((peer) => peer.breaches)
      if (breaches.length > 0) throw new Error(`told inside a call of the session: ${JSON.stringify(breaches[0])}`)
    },
  }
}

export function openPeer(store: Store, options: PeerOptions & { readonly namespace: string }): Peer {
  const { namespace, instanceId = newToken(), commandTimeout = DEADLINE } = options
  const messages: Message[] = []
  const notices: Notice[] = []
  const faults: unknown[] = []
  const evictions: { policy: string; evicted: number }[] = []
  const inbox: boolean[] = []
  const breaches: StoreEvent[] = []
  const watchers = new Set<() => void>()
  let depth = 0

  function tell(event: StoreEvent): void {
    if (depth > 0) breaches.push(event)
    if (event.type === 'message') messages.push(event.message)
    else if (event.type === 'notice') notices.push(event.notice)
    else if (event.type === 'inbox') inbox.push(event.confirmed)
    else if (event.type === 'fault') faults.push(event.error)
    else if (event.type === 'eviction') evictions.push({ policy: event.policy, evicted: event.evicted })
    for (const watcher of watchers) watcher()
  }

  function inside<T>(call: () => T): T {
    depth++
    try {
      return call()
    } finally {
      depth--
    }
  }

  function told(holds: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const watcher = () => {
        if (!holds()) return
        clearTimeout(limit)
        watchers.delete(watcher)
        resolve()
      }
      const limit = setTimeout(() => {
        watchers.delete(watcher)
        reject(new Error(`${what} did not come within ${DEADLINE} ms`))
      }, DEADLINE)
      watchers.add(watcher)
      watcher()
    })
  }

  const opened = inside(() => store.open({ namespace, instanceId, commandTimeout, tell }))
  const session = new Proxy(opened, {
    get(target, name: keyof Session) {
      const method = target[name] as (...args: unknown[]) => unknown
      return (...args: unknown[]) => inside(() => method.apply(target, args))
    },
  })

  async function found<T>(list: readonly T[], accept: (one: T) => boolean, what: string): Promise<T> {
    await told(() => list.some(accept), what)
    return list.find(accept) as T
  }

  return {
    session,
    namespace,
    instanceId,
    messages,
    notices,
    faults,
    evictions,
    inbox,
    breaches,
    told,
    message: (token) => found(messages, (message) => message.token === token, `a message of ${token}`),
    notice: (accept) => found(notices, accept, 'the notice'),
    async lead(id, lease = LONG) {
      const token = newToken()
      const claim = await session.claim(id, { token, seen: 'any', lease })
      if (claim.type !== 'lead') throw new Error(`expected to lead ${JSON.stringify(id)}, got ${JSON.stringify(claim)}`)
      return token
    },
    async wait(id) {
      const claim = await session.claim(id, { token: newToken(), seen: 'any', lease: LONG })
      if (claim.type !== 'wait') throw new Error(`expected to wait for ${JSON.stringify(id)}, got ${claim.type}`)
      return claim
    },
  }
}

async function settleAll(all: readonly Peer[], namespace: string): Promise<void> {
  const id = `settle:${newToken()}`
  const present = all.filter((peer) => peer.namespace === namespace)
  const [first] = present
  if (first === undefined) return
  const token = await first.lead(id)
  await Promise.all(present.map((peer) => peer.wait(id)))
  await first.session.end(id, token, { type: 'again' })
  await Promise.all(present.map((peer) => peer.message(token)))
}

/** Polls until the answer is accepted; for what nobody tells, such as a time to live that ran out. */
export async function until<T>(
  ask: () => Promise<T>,
  accept: (answer: T) => boolean,
  what: string,
  limit = DEADLINE,
): Promise<T> {
  const startedAt = performance.now()
  for (;;) {
    const answer = await ask()
    if (accept(answer)) return answer
    if (performance.now() - startedAt > limit) {
      throw new Error(`${what} did not come within ${limit} ms; last answer: ${JSON.stringify(answer)}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** The promise's answer, or a rejection when it takes longer: for what must be over soon and could hang. */
export async function within<T>(limit: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not settled within ${limit} ms`)), limit)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

export function newToken(): string {
  return randomBytes(12).toString('base64url')
}

/** An entry that the flight with this token would publish. */
export function entryOf(token: string, payload: string | Bytes = 'value'): Bytes {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
  return encodeEntry({ stamp: token, codec: 'test', createdAt: Date.now(), ttl: LONG, ...NO_WINDOWS, tags: [] }, bytes)
}

/** Bytes as a string that says where two differ; Buffers and Uint8Arrays are the same to it. */
export function textOf(bytes: Bytes | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('latin1')
}
