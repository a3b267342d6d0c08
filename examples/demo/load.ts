import { createTRPCClient, httpLink, TRPCClientError } from '@trpc/client'
import type { Country } from './countries.ts'
import type { DemoServer } from './fleet.ts'
import type { Router } from './trpc.ts'

/** What became of one HTTP request. Instants are of `performance.now()`. */
export type Answer<V> = { readonly server: DemoServer; readonly startedAt: number; readonly endedAt: number } & (
  | { readonly type: 'value'; readonly value: V }
  | { readonly type: 'error'; readonly message: string }
  /** The connection broke. */
  | { readonly type: 'lost' }
)

export type Question<V> = (client: Client) => Promise<V>

/** Both kinds of server answer the same questions, each in its own protocol. */
export interface Client {
  countries(region: string): Promise<Country[]>
  country(code: string): Promise<Country>
}

/** ms: a request that takes longer than any scene is a failure, not a wait. */
const LIMIT = 20_000

/** Sends `each` requests to each server, all at once. */
export async function burst<V>(
  servers: readonly DemoServer[],
  each: number,
  question: Question<V>,
): Promise<Answer<V>[]> {
  const clients = servers.map((server) => ({ server, client: clientOf(server) }))
  const rounds = Array.from({ length: each }, () => clients).flat()
  return Promise.all(rounds.map(({ server, client }) => ask(server, () => question(client))))
}

/** Tells a GraphQL server that a country has a new name. */
export async function rename({ url }: DemoServer, code: string, name: string): Promise<Country> {
  const mutation = `mutation Rename($code: String!, $name: String!) { rename(code: $code, name: $name) { ${FIELDS} } }`
  const data = await graphql<{ rename: Country }>(url, mutation, { code, name })
  return data.rename
}

async function ask<V>(server: DemoServer, question: () => Promise<V>): Promise<Answer<V>> {
  const startedAt = performance.now()
  const end = () => ({ server, startedAt, endedAt: performance.now() })
  try {
    const value = await question()
    return { ...end(), type: 'value', value }
  } catch (error) {
    // fetch() rejects with a TypeError where no answer came; the client of tRPC wraps it.
    const cause = error instanceof TRPCClientError && error.data === undefined ? error.cause : error
    if (cause instanceof TypeError) return { ...end(), type: 'lost' }
    return { ...end(), type: 'error', message: (error as Error).message }
  }
}

function clientOf(server: DemoServer): Client {
  return server.kind === 'yoga' ? graphqlClient(server.url) : trpcClient(server.url)
}

const FIELDS = 'code name capital version'

function graphqlClient(url: string): Client {
  return {
    async countries(region) {
      const query = `query Countries($region: String!) { countries(region: $region) { ${FIELDS} } }`
      const data = await graphql<{ countries: Country[] }>(url, query, { region })
      return data.countries
    },
    async country(code) {
      const query = `query Country($code: String!) { country(code: $code) { ${FIELDS} } }`
      const data = await graphql<{ country: Country }>(url, query, { code })
      return data.country
    },
  }
}

async function graphql<D>(url: string, query: string, variables: Record<string, string>): Promise<D> {
  const response = await fetch(new URL('/graphql', url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
    signal: AbortSignal.timeout(LIMIT),
  })
  const { data, errors } = (await response.json()) as { data: D; errors?: { message: string }[] }
  if (errors?.[0] !== undefined) throw new Error(errors[0].message)
  return data
}

function trpcClient(url: string): Client {
  const client = createTRPCClient<Router>({ links: [httpLink({ url })] })
  const options = () => ({ signal: AbortSignal.timeout(LIMIT) })
  return {
    countries: (region) => client.countries.query({ region }, options()),
    country: (code) => client.country.query({ code }, options()),
  }
}
