import {
  createTRPCClient,
  httpBatchLink,
  httpBatchStreamLink,
  httpLink,
  httpSubscriptionLink,
  splitLink,
  type TRPCClient,
  TRPCClientError,
} from '@trpc/client'
import { EventSource } from 'eventsource'
import { afterAll, beforeAll, expect, inject } from 'vitest'
import { createCache } from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { testNamespace } from '../../redis/namespace.ts'
import { type Trace, traceOf } from '../trace.ts'
import { type App, appOf } from './app.ts'
import { HOSTS } from './hosts.ts'
import { MAKINGS, type Making } from './makings.ts'
import { createShop, type Shop } from './shop.ts'
import { transformer } from './twins.ts'

const LINKS = { single: httpLink, batch: httpBatchLink, stream: httpBatchStreamLink }

export interface Asking {
  readonly user?: string
  readonly language?: string
  readonly link?: keyof typeof LINKS
  /** GET for queries where nothing else is said. */
  readonly methodOverride?: 'POST'
}

/** Each making on each adapter: how it is made, on what, and what the values become on their way. */
export const SETUPS = Object.keys(MAKINGS).flatMap((making) => [
  [making, 'standalone', 'JSON'] as const,
  [making, 'standalone', 'a transformer'] as const,
  [making, 'fetch', 'a transformer'] as const,
  [making, 'Express', 'JSON'] as const,
  [making, 'Fastify', 'a transformer'] as const,
])

/** One instance of the application. */
export interface Peer {
  readonly url: string
  readonly router: App
  client(asking?: Asking): TRPCClient<App>
}

/** Two instances over one database and one Redis. */
export interface AppPeers extends AsyncDisposable {
  readonly making: Making
  readonly a: Peer
  readonly b: Peer
  readonly shop: Shop
  readonly trace: Trace
  /** What the servers' `onError` was told. */
  readonly errors: readonly string[]
  /** What is asked for at the first and, when that is done, at the second; so many of the second's calls are hits. */
  twice<T>(ask: (peer: Peer) => Promise<T>, hits?: number): Promise<T>
  /** The same for what fails both times; the error. */
  refusedTwice(ask: (peer: Peer) => Promise<unknown>): Promise<TRPCClientError<App>>
  /** What is asked for at both, often and at once: all the answers and errors, when they have met where something keeps. */
  atOnce<T>(asks: readonly ((peer: Peer) => Promise<T>)[]): Promise<PromiseSettledResult<T>[]>
}

/** Opens the application for the tests of the block. */
export function useApp([making, host, values]: readonly [making: string, host: string, values: string]) {
  const transformed = values === 'a transformer'
  let app: AppPeers
  beforeAll(async () => {
    app = await openApp(making, host, transformed)
  })
  afterAll(() => app[Symbol.asyncDispose]())
  return {
    get: () => app,
    transformed,
    /** What a client has of a Date. */
    date: (text: string) => (transformed ? new Date(text) : new Date(text).toJSON()),
  }
}

/** What a client has of a TRPCError. */
export function failing(code: string, message: string | RegExp) {
  return { message: expect.stringMatching(message), data: expect.objectContaining({ code }) }
}

async function openApp(madeBy: string, host: string, transformed: boolean): Promise<AppPeers> {
  const store = redisStore(inject('redisUrl'))
  const namespace = testNamespace('app')
  const shop = createShop()
  const errors: string[] = []
  const given = transformed ? transformer : undefined
  const open: AsyncDisposable[] = []

  async function openPeer() {
    const cache = createCache({ store, namespace, ttl: 600_000 })
    open.unshift(cache)
    await cache.ready()
    const making = (MAKINGS[madeBy] as (typeof MAKINGS)[string])(cache)
    const router = appOf(making, given)
    const server = await (HOSTS[host] as (typeof HOSTS)[string])({
      router,
      createContext: (headers) => ({
        user: headers.authorization,
        language: headers['accept-language']?.startsWith('de') ? 'de' : 'en',
        shop,
      }),
      onError: ({ error }) => errors.push(error.code),
    })
    open.unshift(server)
    return { cache, making, peer: { url: server.url, router, client: (asking = {}) => clientOf(server.url, asking) } }
  }

  function clientOf(url: string, { user, language = 'en', link = 'single', methodOverride }: Asking): TRPCClient<App> {
    const headers = { 'accept-language': language, ...(user === undefined ? {} : { authorization: user }) }
    // Whether a link needs a transformer is decided by the type of a router: here it depends.
    const options = { url, headers, methodOverride, transformer: given } as never
    const fetchWith = (to: string | URL, init: object) => fetch(to, withHeaders(init, headers))
    return createTRPCClient<App>({
      links: [
        splitLink({
          condition: ({ type }) => type === 'subscription',
          true: httpSubscriptionLink({
            url,
            transformer: given,
            EventSource,
            eventSourceOptions: { fetch: fetchWith },
          } as never),
          false: LINKS[link](options),
        }),
      ],
    })
  }

  const [{ peer: a, making, cache }, { peer: b, cache: other }] = await Promise.all([openPeer(), openPeer()])
  const trace = traceOf(cache, other)
  const count = (type: 'hit' | 'publish' | 'join' | 'follow') => trace.of(type).length

  return {
    making,
    a,
    b,
    shop,
    trace,
    errors,
    async twice(ask, hits = 1) {
      const before = { hit: count('hit'), publish: count('publish') }
      const expected = making.keeps ? hits : 0
      const first = await ask(a)
      expect(count('hit')).toBe(before.hit)
      await trace.saw('publish', before.publish + expected)
      const second = await ask(b)
      expect(second).toEqual(first)
      expect(count('hit') - before.hit).toBe(expected)
      return second
    },
    async refusedTwice(ask) {
      const before = count('hit')
      const first = await errorOf(ask(a))
      const second = await errorOf(ask(b))
      expect([second.message, second.shape]).toEqual([first.message, first.shape])
      expect(count('hit')).toBe(before)
      return second
    },
    async atOnce(asks) {
      const inside = () => shop.runs.length + count('join') + count('follow')
      const before = inside()
      shop.gate.shut()
      const answers = Promise.allSettled(asks.map((ask, i) => ask(i % 2 === 0 ? a : b)))
      await expect.poll(() => inside() - before, { timeout: 10_000 }).toBe(asks.length)
      shop.gate.open()
      return answers
    },
    async [Symbol.asyncDispose]() {
      for (const each of open) await each[Symbol.asyncDispose]()
    },
  }
}

export function withHeaders(init: { headers?: HeadersInit }, headers: Record<string, string>): RequestInit {
  const all = new Headers(init.headers)
  for (const [name, value] of Object.entries(headers)) all.set(name, value)
  return { ...init, headers: all }
}

/** @throws Error where it did not fail, or not as the client tells it */
export async function errorOf(asked: Promise<unknown>): Promise<TRPCClientError<App>> {
  const error = await asked.then(
    (answer) => new Error(`answered: ${JSON.stringify(answer)}`),
    (error: unknown) => error,
  )
  if (!(error instanceof TRPCClientError)) throw error
  return error
}
