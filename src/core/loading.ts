import { notAsync } from './checks.ts'
import type { Bytes } from './codec.ts'
import { isAbort, speaksOfRights } from './errors.ts'
import { type AloneReason, loadChannel, type TraceMessage } from './events.ts'
import { fitOf } from './fit.ts'
import type { Flight, Result } from './flight.ts'
import { freeze } from './freeze.ts'
import type { Instance } from './instance.ts'
import type { FoundValue } from './lookup.ts'
import type { Policy } from './options.ts'
import type { Loader, Order } from './order.ts'
import { errorOfferOf, type Offer, offerOf } from './publication.ts'
import type { Ended, Ending } from './store.ts'
import type { Lead } from './trip.ts'

/** How `getOrSet` leads: it runs the loader, and ends the flight with what that returns or throws. */
export function loading(instance: Instance, order: Order, load: Loader<unknown>): Lead {
  const { id, key, shape, policy, tags, errorTags = tags } = order
  return async (flight, lease, stale) => {
    const { token } = lease
    // What is there is replaced: that is no key more.
    const asker = lease.present === 'none' ? order.asker : undefined
    let value: unknown
    order.onLead?.(lease.clock)
    const startedAt = performance.now()
    try {
      value = await run(instance, order, load, flight.signal, stale)
    } catch (error) {
      // A value that is there, stale or not, is worth more than an error.
      const offer = (bytes: Bytes) =>
        errorOfferOf(instance, { id, key, shape, token, policy, tags: errorTags, asker }, error, bytes)
      void lease.fail(
        error,
        lease.present === 'none' ? offer : undefined,
        stale !== undefined && outdates(policy, error),
      )
      throw error
    }
    const cost = performance.now() - startedAt
    const made = offerOf(instance, { id, key, shape, token, value, policy, cost, tags, asker })
    const offer = made instanceof Promise ? await made : made
    const ending = offer.tags.length === 0 ? offer.ending : await lease.index(offer, order.since?.())
    // Sent before anybody is answered: what this instance asks next, on the same connection, comes after it. Nobody
    // waits for the reply, which would only delay the answer; events tell it.
    void lease.publish(stale === undefined ? ending : outdating(offer, ending)).then((reply) => {
      order.onEnd?.(outcomeOf(ending, reply))
    })
    if (ending.type === 'value' && offer.times !== undefined) order.onStore?.(offer.times)
    return own(flight, value, ending.type === 'alone')
  }
}

function outcomeOf(ending: Ending, reply: Ended | undefined): 'stored' | 'lost' | 'failed' {
  if (ending.type === 'again' || reply?.type === 'fenced') return 'lost'
  return reply?.stored === true ? 'stored' : 'failed'
}

/** Whether the origin has answered, and not with what is there: such as that it is gone. What speaks of one caller's rights does not. */
function outdates({ isOutage, outdates }: Policy, error: unknown): boolean {
  try {
    if (outdates !== undefined) return outdates(error)
    return !isAbort(error) && !speaksOfRights(error) && !isOutage(error)
  } catch {
    return false // told where it is asked whether it hides the error
  }
}

/** What may not be kept any more takes what is there with it: that must not be answered to the end of its window. */
function outdating(offer: Offer, ending: Ending): Ending {
  const isKept = offer.ending.type === 'value' // it may be, and could not be listed under its tags
  return !isKept && (ending.type === 'alone' || ending.type === 'share') ? { ...ending, outdates: true } : ending
}

/**
 * Runs the loader without a flight in the store: its value is not published. It is told nothing stale: whether that is there yet
 * nobody has looked.
 */
export async function runAlone(
  instance: Instance,
  flight: Flight,
  order: Order,
  load: Loader<unknown>,
  reason: AloneReason,
): Promise<Result> {
  const { events, bulkhead } = instance
  const { id, policy, ticket } = order
  const { signal } = flight
  if (flight.callers === 0) return { type: 'again' }
  async function loadNow(): Promise<Result> {
    flight.leads()
    events.emit({ type: 'alone', key: id, reason })
    try {
      return own(flight, await run(instance, order, load, signal, undefined), true)
    } catch (error) {
      events.emit({ type: 'loaderError', key: id, error, shared: false })
      throw error
    }
  }
  // Who has waited for as long as it wants to waits for no place either.
  return reason === 'waitTimeout'
    ? loadNow()
    : bulkhead.run({ id, policy, ticket, signal, onQueue: flight.queues }, loadNow)
}

/** What a loader here gave. Who else waits here can have it too, unless it is a stream or the like. */
function own(flight: Flight, value: unknown, unchecked: boolean): Result {
  if (unchecked) flight.detach() // who joins from here on would not be counted
  const fit = unchecked && flight.callers > 1 ? fitOf(value) : undefined
  return { type: 'value', value: freeze(value), once: fit?.type === 'unfit' && fit.once }
}

async function run(
  instance: Instance,
  order: Order,
  load: Loader<unknown>,
  signal: AbortSignal,
  stale: FoundValue | undefined,
): Promise<unknown> {
  const { id, key } = order
  const { instanceId, settings } = instance
  const context = stale === undefined ? { signal, key } : { signal, key, stale: stale.value }
  if (!loadChannel.hasSubscribers) return load(context)
  const trace: TraceMessage = { namespace: settings.namespace, instanceId, key: id }
  return loadChannel.tracePromise(async () => load(context), trace)
}

/** Whether a stale value is answered in the place of the error. */
export function hides({ events }: Instance, { id, policy }: Order, error: unknown): boolean {
  try {
    return Boolean(notAsync('isOutage', policy.isOutage(error)))
  } catch (thrown) {
    events.emit({ type: 'policyError', key: id, option: 'isOutage', error: thrown })
    return false
  }
}
