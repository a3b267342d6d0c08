/** A server of an API in a process of its own, cached and not, which ends in order when it is told to. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type CacheEvent, type CacheOptions, createCache } from 'atomcache'
import { redisStore } from 'atomcache/redis'
import { closeInOrder } from '../../examples/closeInOrder.ts'
import { serve } from '../redis/child.ts'
import { type ApiKind, listenerOf } from './listeners.ts'

export interface ApiOptions {
  readonly name: string
  readonly kind: ApiKind
  readonly redis: string
  /** 0: any that is free. */
  readonly port: number
  /** ms that the origin takes. */
  readonly cost: number
  readonly cache: Omit<CacheOptions, 'store'>
  /** ms that requests may take when it ends, before what they compute is handed over. */
  readonly grace: number
}

/** Something that happened there. */
export interface Told {
  /** ms, of a clock that all processes of this machine share. */
  readonly at: number
  readonly what:
    | CacheEvent
    /** The origin. */
    | { readonly type: 'run' | 'ran'; readonly key: string }
    /** It has ended in order. */
    | { readonly type: 'closed' }
}

export type ApiEvents = { told: Told }

/** Those that run until they are released. */
const held = new Map<string, { readonly released: Promise<void>; release(): void }>()
/** It was told to end, and is not to be asked any more. */
let ending = false
let markDrained = () => {}
const drained = new Promise<void>((resolve) => {
  markDrained = resolve
})
/** Callers that joined a computation, by what events call its key. */
const joins = new Map<string, number>()
/** Keys that were stored once. */
const stored = new Set<string>()

const calls = {
  /** Its URL, once it is connected to its Redis. */
  async start(options: ApiOptions): Promise<string> {
    const cache = createCache({ ...options.cache, store: redisStore(options.redis) })
    cache.on('*', (event) => {
      if (event.type === 'hit') stored.add(event.key)
      if (event.type === 'join') joins.set(event.key, (joins.get(event.key) ?? 0) + 1)
      else tell(event)
    })
    await cache.ready()
    const listener = listenerOf(options.kind, cache, (key) => origin(key, options))
    const server = createServer((request, response) => {
      if (request.url === '/ready') response.writeHead(ending ? 503 : 200).end()
      else listener(request, response)
    })
    // Longer than any client keeps a connection: who closes one that is idle may meet the next request on it.
    server.keepAliveTimeout = 65_000
    server.listen(options.port, '127.0.0.1')
    await once(server, 'listening')
    process.once('SIGTERM', async () => {
      ending = true
      await closeInOrder(server, cache, drained, options.grace)
      tell({ type: 'closed' })
      process.channel?.unref() // what else is open keeps this process alive, and is a fault
    })
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  },

  /** Whoever balances has noticed that it is to end. */
  drained: () => markDrained(),

  /** From now on runs of the origin for the key take until it is released. */
  hold(key: string): void {
    let release = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    held.set(key, { released, release })
  },

  release(key: string): void {
    held.get(key)?.release()
    held.delete(key)
  },

  forgetJoins: () => joins.clear(),
  /** How many callers have joined the one that most have joined, of the keys that were never stored. */
  mostJoined: () => Math.max(0, ...[...joins].map(([key, count]) => (stored.has(key) ? 0 : count))),
  /** What was told before has arrived when this is answered. */
  hear: () => undefined,
}

export type ApiCalls = typeof calls

const say = serve<ApiEvents>(calls)

function tell(what: Told['what']): void {
  const at = Number(process.hrtime.bigint()) / 1e6
  say('told', { at, what: 'error' in what ? { ...what, error: String(what.error) } : what })
}

let runs = 0

/** What answers differ by, so that whose they are can be seen: server, run, key. */
async function origin(key: string, { name, cost }: ApiOptions): Promise<string> {
  const run = ++runs
  tell({ type: 'run', key })
  await (held.get(key)?.released ?? delay(cost))
  tell({ type: 'ran', key })
  return `${name} ${run} ${key}`
}
