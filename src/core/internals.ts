import type { Calls } from './calls.ts'
import { messageOf, type UnconfirmedError } from './errors.ts'
import type { Events } from './events.ts'
import type { Instance } from './instance.ts'
import type { InvalidateOptions } from './invalidation.ts'
import { type Keeper, type KeptFresh, type Renewed, renewed } from './keepFresh.ts'
import { keyDigest, keyId } from './key.ts'
import type { CallOptions, Policy } from './options.ts'
import type { Loader, Order } from './order.ts'
import type { Retries } from './retries.ts'
import { tagIds } from './tag.ts'

/** Refreshes it where its end is near. Once per attempt. @throws Error where it is not fresh */
export type Renew = (order: Order, load: Loader<unknown>) => Promise<void>

/** What adapters use of a cache beyond its public face: what can be done once, at construction, is not done per request. */
export interface Internals extends Pick<Calls, 'ask' | 'glance' | 'usable' | 'peek'> {
  readonly events: Events
  /** ms since the epoch, by the store's clock. */
  now(): number
  /** Checks and completes call options. */
  policy(options: CallOptions<never>): Policy
  /**
   * Keeps something fresh that only its adapter can ask for. Each attempt asks for it as a request would, and where it comes to the
   * cache calls `renew` in the place of `ask`.
   */
  keep(what: string, attempt: (renew: Renew) => Promise<unknown>): KeptFresh
  /**
   * What a mutation that is committed has changed. Resolves when the invalidation holds; or, where it was not confirmed in
   * its budget, with that error: it is tried again then until it is, or the cache is closed. To be awaited before the
   * mutation's answer leaves.
   *
   * @throws TypeError or RangeError for keys and tags that can't be
   */
  invalidate(what: InvalidateOptions): Promise<UnconfirmedError | undefined>
  /**
   * The id of a key, of which `secret` is only there as a digest: whose data it is and what was asked are in no key's name,
   * event or log. `undefined` for what can't be one, which is told as a bypass of `what`.
   */
  idOf(what: string, key: readonly unknown[], secret: readonly unknown[]): string | undefined
}

/** What of a cache its internals are made of. */
export interface Insides extends Pick<Internals, 'policy'> {
  readonly instance: Instance
  readonly calls: Calls
  readonly keeper: Keeper
  readonly retries: Retries
}

/** Characters and values that a key made of a client's input may have: to refuse a larger one must be cheap. */
const MAX_CLIENT_KEY = 65_536

export function createInternals({ instance, calls, keeper, retries, policy }: Insides): Internals {
  const { events, session, settings } = instance
  const { version } = settings
  return {
    events,
    now: session.now,
    policy,
    ask: calls.ask,
    glance: calls.glance,
    usable: calls.usable,

    async peek(id, fits) {
      return instance.closed || !calls.enabled(id) ? undefined : calls.peek(id, fits)
    },

    keep: (what, attempt) =>
      keeper.keep({
        what,
        async renew() {
          let now: Renewed | undefined
          await attempt(async (order, load) => {
            now = await renewed(instance, calls, order, load)
          })
          if (now === undefined) throw new Error('it was answered without the cache')
          return now
        },
      }),

    invalidate: ({ keys = [], tags = [] }) =>
      retries.invalidate({ ids: keys.map((key) => keyId(key, version)), tags: tagIds(tags) }),

    idOf(what, key, secret) {
      try {
        return keyId([...key, keyDigest(secret, MAX_CLIENT_KEY)], version, MAX_CLIENT_KEY)
      } catch (error) {
        events.emit({ type: 'bypass', what, reason: messageOf(error) })
        return undefined
      }
    },
  }
}

/** By a registered symbol: adapter and cache may come from the ESM and from the CommonJS build. */
const INTERNALS = Symbol.for('atomcache.internals.1')

export function expose<C extends object>(cache: C, internals: Internals): C {
  Object.defineProperty(cache, INTERNALS, { value: internals })
  return cache
}

/** @throws TypeError for what `createCache` did not make */
export function internalsOf(cache: object): Internals {
  const internals = (cache as { [INTERNALS]?: Internals } | undefined)?.[INTERNALS]
  if (internals === undefined) throw new TypeError('cache must be what createCache() returned')
  return internals
}
