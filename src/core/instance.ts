import { type Breaker, createBreaker } from './breaker.ts'
import { type Bulkhead, createBulkhead } from './bulkhead.ts'
import { type Codec, json, rich } from './codec.ts'
import { createEvents, type Events } from './events.ts'
import { createInbox, type Inbox } from './inbox.ts'
import { createNewKeys, type NewKeys } from './newKeys.ts'
import { createRights } from './rights.ts'
import type { Settings } from './settings.ts'
import type { Notice, Session, Store, StoreEvent } from './store.ts'
import { createTier, type Tier } from './tier.ts'
import { newToken } from './token.ts'

/** One cache, as its parts see it: the store it opened, and all that is one per cache. */
export interface Instance {
  readonly instanceId: string
  readonly settings: Settings
  readonly events: Events
  readonly session: Session
  readonly breaker: Breaker
  readonly bulkhead: Bulkhead
  readonly inbox: Inbox
  /** The memory tier; one that keeps nothing where it is off. */
  readonly tier: Tier
  readonly newKeys: NewKeys
  /** By id: the built-in ones, and those that were named in options so far. */
  readonly codecs: Map<string, Codec>
  readonly closed: boolean
  /** Calls it each time that messages arrive, after they may have been lost. */
  onConfirm(confirmed: () => void): void
  /** Runs `end` when the cache is closed; the result takes that back. */
  onClose(end: () => void): () => void
  /** Work that goes on behind an answer; `close()` waits for it. Never rejects. */
  behind(work: Promise<unknown>): void
  /** From now on it matters whether the store may forget what it knows of tags. */
  usesTags(): void
  /** Whether values of this shape of key were already reported as uncacheable; from now on they are. */
  reported(shape: string): boolean
  close(): Promise<void>
}

/** Keys of so many shapes are remembered as uncacheable; beyond it nothing more is reported. */
const MAX_SHAPES = 1000

export function openInstance(store: Store, settings: Settings, onNotice: (notice: Notice) => void): Instance {
  const instanceId = newToken()
  const { namespace, commandTimeout } = settings
  const events = createEvents(namespace, instanceId)
  const inbox = createInbox()
  const rights = createRights(settings.breaker.retryAfter)
  const ends = new Set<() => void>()
  const working = new Set<Promise<unknown>>()
  const shapes = new Set<string>()
  const own = settings.policy.codec
  const codecs = new Map([json, rich, ...(own === undefined ? [] : [own])].map((codec) => [codec.id, codec]))
  let closing: Promise<void> | undefined
  let tagged = false
  /** Told before tags were used. */
  let eviction: (StoreEvent & { type: 'eviction' }) | undefined

  const confirmations: (() => void)[] = []
  const tier = createTier(settings.memory, codecs, () => session.now())

  const session = store.open({
    namespace,
    instanceId,
    commandTimeout,
    tell(event) {
      switch (event.type) {
        case 'message':
          return inbox.receive(event.message)
        case 'notice':
          return onNotice(event.notice)
        case 'inbox':
          if (inbox.confirmed === event.confirmed) return
          tier.confirm(event.confirmed)
          inbox.confirmed = event.confirmed
          if (!event.confirmed) rights.granted('connection') // the next one may be of another server: what that refuses is news
          if (event.confirmed) for (const confirmed of confirmations) confirmed()
          return events.emit({ type: 'inbox', confirmed: event.confirmed })
        case 'fault':
          if (!rights.isNews('connection', event.error)) return
          return events.emit({ type: 'storeFault', op: 'connection', error: event.error })
        case 'eviction':
          if (tagged) return events.emit(event)
          eviction = event
          return
        default:
          event satisfies never
      }
    },
  })

  async function close(): Promise<void> {
    tier.confirm(false)
    for (const end of [...ends]) end()
    ends.clear()
    // Each is bounded by the command budget; what begins meanwhile is awaited too.
    while (working.size > 0) await Promise.all(working)
    await session.close()
  }

  const instance: Instance = {
    instanceId,
    settings,
    events,
    session,
    breaker: createBreaker(settings.breaker, events, rights),
    inbox,
    tier,
    newKeys: createNewKeys(settings.maxNewKeys),
    codecs,
    get closed() {
      return closing !== undefined
    },
    onConfirm: (confirmed) => void confirmations.push(confirmed),
    onClose(end) {
      ends.add(end)
      return () => ends.delete(end)
    },
    behind(work) {
      working.add(work)
      void work.finally(() => working.delete(work))
    },
    usesTags() {
      if (tagged) return
      tagged = true
      if (eviction !== undefined) events.emit(eviction)
    },
    reported(shape) {
      if (shapes.has(shape) || shapes.size >= MAX_SHAPES) return true
      shapes.add(shape)
      return false
    },
    close() {
      closing ??= close()
      return closing
    },
    get bulkhead() {
      return bulkhead
    },
  }
  const bulkhead = createBulkhead(instance)
  return instance
}
