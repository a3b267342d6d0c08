import { newTicket } from './bulkhead.ts'
import type { Calls } from './calls.ts'
import type { Key } from './key.ts'
import type { CallOptions, Policy, RequestOptions } from './options.ts'
import type { Order } from './order.ts'

/** What the loader of many gets. */
export interface LoadManyContext {
  /** Aborted when nobody waits for any of the values any more, in this instance or another. */
  readonly signal: AbortSignal
}

/** The values of these keys, in order; an `Error` in the place of one is that key's alone. */
export type LoadMany<K extends Key, V> = (
  keys: readonly K[],
  context: LoadManyContext,
) => readonly (V | Error)[] | Promise<readonly (V | Error)[]>

/** What a method that asks for several keys needs of its cache. */
export interface Asking {
  readonly calls: Pick<Calls, 'ask' | 'held' | 'look' | 'refresh' | 'enabled'>
  idOf(key: Key): string
  /** @throws TypeError where no ttl is said */
  policyOf(method: string, options: (CallOptions<never> & RequestOptions) | undefined): Policy
}

/** As `Cache.getOrSetMany`. A key that is given twice is asked for once. */
export async function getOrSetMany<K extends Key, V>(
  { calls, idOf, policyOf }: Asking,
  keys: readonly K[],
  load: LoadMany<K, V>,
  options: (CallOptions<V> & RequestOptions) | undefined,
): Promise<V[]> {
  if (!Array.isArray(keys)) throw new TypeError('getOrSetMany takes an array of keys')
  if (typeof load !== 'function') {
    throw new TypeError('getOrSetMany takes keys and a function that computes the values of those that are missing')
  }
  const policy = policyOf('getOrSetMany', options)
  const forced = options?.forceRefresh === true
  const signal = options?.signal
  signal?.throwIfAborted()
  const ids = keys.map(idOf)
  const values = new Map<string, unknown>()
  const orders = new Map<string, Order>()
  const ticket = policy.limit && newTicket()
  for (const [i, id] of ids.entries()) {
    if (values.has(id) || orders.has(id)) continue
    const held = forced ? undefined : calls.held(id)
    if (held === undefined) orders.set(id, { id, key: keys[i] as K, policy, ticket, forced })
    else values.set(id, held.value)
  }
  if (orders.size > 0) {
    const asked = await askMany(calls, [...orders.values()], load, signal)
    for (const [i, id] of [...orders.keys()].entries()) values.set(id, asked[i])
  }
  return ids.map((id) => values.get(id) as V)
}

/** A key that this instance leads. */
interface Led {
  readonly at: number
  readonly signal: AbortSignal
  resolve(value: unknown): void
  reject(error: unknown): void
}

/**
 * The values of many keys: those that are stored by one look for all; of the others, those that nobody computes by one call of the
 * loader, which begins when for each it is known whether this instance leads it; those that somebody else computes when that has
 * ended.
 */
async function askMany<K extends Key>(
  { ask }: Pick<Calls, 'ask'>,
  orders: readonly Order[],
  load: LoadMany<K, unknown>,
  signal: AbortSignal | undefined,
): Promise<unknown[]> {
  /** Those of which it is not known yet whether they are led. */
  const unknown = new Set(orders.keys())
  let led: Led[] = []

  function known(at: number): void {
    unknown.delete(at)
    if (unknown.size > 0 || led.length === 0) return
    const all = led
    led = []
    const wanted = all.filter((one) => !one.signal.aborted)
    for (const one of all) if (one.signal.aborted) one.reject(one.signal.reason)
    if (wanted.length > 0) void loadAll(wanted)
  }

  async function loadAll(all: readonly Led[]): Promise<void> {
    try {
      const values = await load(
        all.map(({ at }) => (orders[at] as Order).key as K),
        { signal: allOf(all.map((one) => one.signal)) },
      )
      if (!Array.isArray(values) || values.length !== all.length) {
        const given = Array.isArray(values) ? `${values.length} values` : typeof values
        throw new TypeError(
          `the loader of getOrSetMany must return a value for each of its ${all.length} keys, got ${given}`,
        )
      }
      for (const [i, one] of all.entries()) {
        const value: unknown = values[i]
        if (value instanceof Error) one.reject(value)
        else one.resolve(value)
      }
    } catch (error) {
      for (const one of all) one.reject(error)
    }
  }

  /** Of one key. What is led after the call of the loader, such as in the place of a leader that died, is another call. */
  const loaderOf =
    (at: number) =>
    ({ signal: flight }: LoadManyContext) =>
      new Promise<unknown>((resolve, reject) => {
        led.push({ at, signal: flight, resolve, reject })
        // In the next turn, so that what is led in this one is one call.
        if (unknown.has(at)) known(at)
        else queueMicrotask(() => known(at))
      })

  return Promise.all(
    orders.map(async (order, at) => {
      try {
        return await ask({ ...order, onWait: () => known(at) }, loaderOf(at), signal)
      } finally {
        known(at)
      }
    }),
  )
}

/** Aborted when all of them are. */
function allOf(signals: readonly AbortSignal[]): AbortSignal {
  const [first] = signals
  if (first !== undefined && signals.length === 1) return first
  const controller = new AbortController()
  let left = signals.length
  for (const signal of signals) {
    const aborted = () => {
      left--
      if (left === 0) controller.abort(signal.reason)
    }
    if (signal.aborted) aborted()
    else signal.addEventListener('abort', aborted, { once: true })
  }
  return controller.signal
}
