import { createSchema } from 'graphql-yoga'
import { expect } from 'vitest'
import { responseCodec, type StoredResponse } from '../../../src/adapters/graphql/results/response.ts'
import { cacheControlTypeDefs } from '../../../src/adapters/graphql/yoga.ts'
import type { SetOptions } from '../../../src/index.ts'
import { createGate, type Gate } from '../gate.ts'
import { type HttpAnswer, type HttpTown, type TownOptions, useHttpTown } from './httpTown.ts'
import { PATIENT } from './market.ts'

/** How long a response is of use after its end; in ms. */
export type Windows = Pick<SetOptions<unknown>, 'staleWhileRevalidate' | 'staleIfError'>

export const REVALIDATED: Windows = { staleWhileRevalidate: 600_000 }
export const IF_ERROR: Windows = { staleIfError: 600_000 }

/** What the resolver of `it` does, on both sites. */
export interface Origin {
  runs: number
  /** Thrown, where there is one. */
  error: unknown
  readonly gate: Gate
}

export type OriginTown = HttpTown & { readonly origin: Origin }

/** Two Yoga servers over one Redis, with `Query.it` of one origin. */
export function useOriginTown(): (options?: TownOptions) => Promise<OriginTown> {
  const open = useHttpTown()
  return async (options = {}) => {
    const origin: Origin = { runs: 0, error: undefined, gate: createGate() }
    const it = async () => {
      const value = `it ${++origin.runs}`
      await origin.gate.pass()
      if (origin.error !== undefined) throw origin.error
      return value
    }
    let town: HttpTown
    /** Asks the first site for `it`, in the course of its own execution. */
    const outer = async () => {
      const { data } = (await town.sites[0].execute('query It { it }')) as { data?: { it?: string } }
      return `of ${data?.it}`
    }
    const typeDefs = `
      type Query { it(of: String): String @cacheControl(maxAge: 600), plain: String, outer: String }
      type Mutation { end: Boolean }`
    const schema = createSchema({
      typeDefs: [typeDefs, cacheControlTypeDefs],
      resolvers: { Query: { it, outer, plain: () => 'plain' } },
    })
    // On a busy machine a store that is slow must not look like one that is down: what is asked then is not shared.
    const cache = { ...PATIENT, ...options.cache }
    town = await open({ ...options, cache, yoga: { schema, ...options.yoga } })
    return { ...town, origin }
  }
}

/** ms that what two caches know of the store's clock may differ. */
const CLOCKS = 10

/** The response that was stored last has been fresh, and is stale for both sites. */
export async function aged({ sites, trace }: HttpTown, windows: Windows, key = lastKey(trace)): Promise<void> {
  const { cache } = sites[0]
  const { value, tags } = (await cache.entry<StoredResponse>(key)) ?? {}
  if (value === undefined) throw new Error('nothing is stored')
  await cache.set(key, { ...value, ttl: 1 }, { ttl: 1, tags, codec: responseCodec, ...windows })
  const left = async () => {
    const entries = await Promise.all(sites.map((site) => site.cache.entry(key)))
    return Math.max(...entries.map((entry) => entry?.ttl ?? 0))
  }
  await expect.poll(left).toBeLessThan(-CLOCKS)
}

/** The key of what was stored last. */
function lastKey(trace: HttpTown['trace']): readonly unknown[] {
  return JSON.parse(trace.of('publish').at(-1)?.key ?? '[]')
}

/** Its data, and the messages of its errors. */
export function bodyOf({ text }: HttpAnswer) {
  const { data, errors } = JSON.parse(text) as { data?: unknown; errors?: { message: string }[] }
  return { data, ...(errors === undefined ? {} : { errors: errors.map(({ message }) => message) }) }
}

export function statusOf({ headers }: HttpAnswer): string | undefined {
  return headers['cache-status']
}

/** `Cache-Status` of an answer that is stale and was had at once. */
export const STALE_HIT = expect.stringMatching(/^atomcache; hit; ttl=-\d+$/)

/** That of one in the place of what did not come. */
export const FALLBACK = expect.stringMatching(/^atomcache; fwd=stale; ttl=-\d+; detail="origin failed, slow or busy"$/)
