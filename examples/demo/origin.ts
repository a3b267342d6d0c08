import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Countries as Data } from 'world-countries'
import type { Country } from './countries.ts'

// Its types speak of an ES module, and Node.js gets the CommonJS one.
const data = createRequire(import.meta.url)('world-countries') as Data

/** ms that each answer takes. */
export const ORIGIN_TIME = 1000

/** One query that really reached the origin. */
export interface Run {
  readonly server: string
  readonly path: string
  readonly startedAt: number
  endedAt?: number
}

/** Where the servers get their data, slowly. It counts for itself, outside the servers, who asked for what. */
export interface Origin extends AsyncDisposable {
  readonly url: string
  readonly countries: ReadonlyMap<string, Country>
  inRegion(region: string): Country[]
  /** Since the last `forget`. */
  readonly runs: readonly Run[]
  forget(): void
  /** The next query is answered with 503. */
  failNext(): void
  /** No query is answered before `release`: on a slow machine the requests of a scene need longer to arrive. */
  hold(): void
  release(): void
}

export async function startOrigin(): Promise<Origin> {
  const countries = new Map<string, Country>()
  for (const { cca3: code, name, capital } of data) {
    countries.set(code, { code, name: name.common, capital: capital[0] ?? null, version: 1 })
  }
  const regions = new Map(data.map(({ cca3, region }) => [cca3, region]))
  const runs: Run[] = []
  let fail = false
  let release = () => {}
  let released = Promise.resolve()

  const inRegion = (region: string) => [...countries.values()].filter(({ code }) => regions.get(code) === region)

  async function answer(request: IncomingMessage): Promise<unknown> {
    const path = decodeURIComponent(request.url ?? '')
    const [, collection, name = ''] = path.split('/')
    if (request.method === 'PATCH') {
      const change = JSON.parse(String(Buffer.concat(await request.toArray()))) as Pick<Country, 'name'>
      const old = countries.get(name) as Country
      countries.set(name, { ...old, ...change, version: old.version + 1 })
      return countries.get(name)
    }
    const run: Run = { server: request.headers['user-agent'] ?? '', path, startedAt: performance.now() }
    runs.push(run)
    // As a database does it: what is true at the start of the query, told at its end.
    const found = fail ? undefined : collection === 'region' ? inRegion(name) : countries.get(name)
    fail = false
    await Promise.all([delay(ORIGIN_TIME), released])
    run.endedAt = performance.now()
    return found
  }

  const server = createServer(async (request, response) => {
    const found = await answer(request)
    response.writeHead(found === undefined ? 503 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(found ?? 'down'))
  })
  server.keepAliveTimeout = 65_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    countries,
    inRegion,
    runs,
    forget() {
      runs.length = 0
    },
    failNext() {
      fail = true
    },
    hold() {
      released = new Promise((resolve) => {
        release = resolve
      })
    },
    release: () => release(),
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}
