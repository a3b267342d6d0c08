import type { Cache } from './cache.ts'
import { createCalls } from './calls.ts'
import { known } from './checks.ts'
import { type Claim, needsTtl } from './claims.ts'
import { type Instance, openInstance } from './instance.ts'
import { createInternals, expose } from './internals.ts'
import { clear, type InvalidateOptions, invalidate } from './invalidation.ts'
import { createKeeper, type KeptFresh, renewed } from './keepFresh.ts'
import { type Key, keyId } from './key.ts'
import { valueIn } from './lookup.ts'
import { type Asking, getOrSetMany } from './many.ts'
import { type CallOptions, type Policy, type RequestOptions, resolveCall, type Where } from './options.ts'
import type { Loader, Order } from './order.ts'
import { entryOf, hitOf, readMany } from './reads.ts'
import { createRetries } from './retries.ts'
import { type CacheOptions, resolveSettings } from './settings.ts'
import type { Store } from './store.ts'
import { tagIds } from './tag.ts'
import { warm } from './warm.ts'
import { checkWrap, type WrapOptions, wrapLoader } from './wrap.ts'
import { type Writer, write } from './writes.ts'

const INVALIDATE: ReadonlySet<string> = new Set(['keys', 'tags'])

const INVALIDATE_TAKES =
  'invalidate takes { keys: [key, …], tags: [tag, …] }: each key exact, as it was given to getOrSet. To remove many at once give them a tag'

/** Creates a cache over a store. The public `createCache` adds the default store. */
export function createCacheOn(defaultStore: () => Store, options: CacheOptions): Cache {
  const settings = resolveSettings(options)
  const { store = defaultStore() } = options
  const { version, policy: defaults } = settings
  const instance: Instance = openInstance(store, settings, (notice) => {
    // Ours came back: what was detached at the call and at the reply is new by now.
    if (notice.from === instance.instanceId) return
    const { ids, tags, all } = notice
    writer.detach(ids)
    if (all || tags.length > 0) writer.seal(all ? 'all' : tags)
    if (all) instance.events.emit({ type: 'clear', remote: true })
    if (ids.length > 0 || tags.length > 0) instance.events.emit({ type: 'invalidate', keys: ids, tags, remote: true })
  })
  const calls = createCalls(instance)
  const keeper = createKeeper(instance)
  const writer: Writer = {
    instance,
    detach(ids) {
      calls.detach(ids)
      keeper.wake(ids, [])
    },
    seal(tags) {
      calls.seal(tags)
      keeper.wake([], tags)
    },
  }
  const retries = createRetries(writer)

  const idOf = (key: Key) => keyId(key, version)

  function policyOf(options: (CallOptions<never> & RequestOptions) | undefined, where?: Where): Policy {
    if (options === undefined) return defaults
    const policy = resolveCall(defaults, options, where)
    if (policy.codec !== undefined) instance.codecs.set(policy.codec.id, policy.codec)
    return policy
  }

  /** Of a method that stores what it computes. */
  function storing(method: string, options: (CallOptions<never> & RequestOptions) | undefined, where?: Where): Policy {
    const policy = policyOf(options, where)
    if (policy.ttl === undefined) throw new TypeError(needsTtl(method))
    return policy
  }

  const asking: Asking = { calls, idOf, policyOf: storing }

  function keep(order: Order, load: Loader<unknown>): KeptFresh {
    return keeper.keep({ what: order.id, renew: () => renewed(instance, calls, order, load) })
  }

  async function lookFor(key: Key) {
    const id = idOf(key)
    return instance.closed || !calls.enabled(id) ? undefined : { id, look: await calls.look(id) }
  }

  async function stored(key: Key) {
    const seen = await lookFor(key)
    return seen && hitOf(instance, seen.id, seen.look)
  }

  const cache: Cache = {
    namespace: settings.namespace,

    // No async function, which would be a promise and a frame more for each caller.
    getOrSet<V>(key: Key, load: Loader<V>, options?: CallOptions<V> & RequestOptions): Promise<V> {
      try {
        if (typeof load !== 'function') {
          throw new TypeError('getOrSet takes a key and a function that computes its value')
        }
        const id = idOf(key)
        // What is fresh in memory needs no policy; of a caller who is gone, or wants it anew, `ask` knows what to do.
        const held = options?.forceRefresh || options?.signal?.aborted ? undefined : calls.held(id)
        if (held !== undefined) return Promise.resolve(held.value as V)
        const order = { id, key, policy: storing('getOrSet', options), forced: options?.forceRefresh === true }
        return calls.ask(order, load, options?.signal) as Promise<V>
      } catch (error) {
        return Promise.reject(error)
      }
    },

    wrap: ((load: (...args: unknown[]) => unknown, options: WrapOptions<unknown[], unknown>) => {
      checkWrap(load, options)
      const { key: _, tags, ...call } = options
      // A function among the tags takes the arguments too: it differs from call to call.
      const policy = storing('wrap', typeof tags === 'function' ? call : { ...call, tags }, 'wrap')
      return wrapLoader(cache, load, options, {
        idOf,
        held: calls.held,
        ask: (id, key, run, forced, tags) => calls.ask({ id, key, policy, tags, forced }, run, undefined),
        keepFresh: (key, run, tags) => keep({ id: idOf(key), key, policy, tags, forced: false }, run),
      })
    }) as unknown as Cache['wrap'],

    async get<V>(key: Key) {
      const held = calls.held(idOf(key))
      return (held ?? (await stored(key)))?.value as V | undefined
    },

    async has(key) {
      return (calls.held(idOf(key)) ?? (await stored(key))) !== undefined
    },

    async entry<V>(key: Key) {
      const seen = await lookFor(key)
      if (seen === undefined) return undefined
      const found = hitOf(instance, seen.id, seen.look) ?? valueIn(seen.look)
      return found && entryOf<V>(instance, found)
    },

    async getMany<V>(keys: readonly Key[]) {
      if (!Array.isArray(keys)) throw new TypeError('getMany takes an array of keys')
      const ids = keys.map(idOf)
      if (instance.closed || !calls.enabled(ids[0] ?? '')) return ids.map(() => undefined)
      return (await readMany(instance, ids)) as (V | undefined)[]
    },

    getOrSetMany: (keys, load, options) => getOrSetMany(asking, keys, load, options),

    warm: (keys, load, options) => warm(asking, keys, load, options),

    keepFresh<V>(key: Key, load: Loader<V>, options?: CallOptions<V>) {
      if (typeof load !== 'function')
        throw new TypeError('keepFresh takes a key and a function that computes its value')
      return keep({ id: idOf(key), key, policy: storing('keepFresh', options, 'keepFresh'), forced: false }, load)
    },

    async set(key, value, options) {
      const [stored] = await write(writer, [[key, value]], policyOf(options, 'set'))
      return stored === true
    },

    async setMany(entries, options) {
      if (typeof entries?.[Symbol.iterator] !== 'function') throw new TypeError('setMany takes [key, value] pairs')
      const pairs = [...entries]
      if (!pairs.every(Array.isArray)) throw new TypeError('setMany takes [key, value] pairs')
      return write(writer, pairs, policyOf(options, 'set'))
    },

    delete: (key) => cache.invalidate({ keys: [key] }),

    async invalidate(what) {
      const { keys = [], tags = [] } = Object(what) as InvalidateOptions
      if (typeof what !== 'object' || what === null || Array.isArray(what) || !Array.isArray(keys))
        throw new TypeError(INVALIDATE_TAKES)
      known('invalidate', what, INVALIDATE)
      if (what.keys === undefined && what.tags === undefined) throw new TypeError(INVALIDATE_TAKES)
      const ids = keys.map(idOf)
      await invalidate(writer, { ids: [...new Set(ids)], tags: tagIds(tags) })
    },

    clear: () => clear(writer),

    async claim<V>(key: Key, options?: CallOptions<V> & RequestOptions) {
      const order = { id: idOf(key), key, policy: policyOf(options), forced: options?.forceRefresh === true }
      return calls.claim(order, options?.signal) as Promise<Claim<V>>
    },

    ready: () => instance.session.ready(),
    on: (type, listener) => instance.events.on(type, listener),
    stats: () => ({
      events: instance.events.counts(),
      flights: calls.flights,
      unconfirmed: retries.pending,
      breaker: instance.breaker.state,
      inbox: instance.inbox.confirmed,
      places: instance.bulkhead.places(),
      memory: instance.tier.size,
    }),
    close: () => instance.close(),
    [Symbol.asyncDispose]: () => instance.close(),
  }

  return expose(cache, createInternals({ instance, calls, keeper, retries, policy: policyOf }))
}
