import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { AnyRouter } from '@trpc/server'
import type { Cache } from '../../../core/cache.ts'
import { known, show } from '../../../core/checks.ts'
import { internalsOf } from '../../../core/internals.ts'
import { type CacheOutcome, cacheStatusOf } from '../../http/cacheStatus.ts'
import { matchesEtag } from '../../http/etag.ts'
import { cacheControlOf } from '../../http/responsePolicy.ts'
import { varyOf } from '../../http/vary.ts'
import type { PublicAnswer } from './answer.ts'
import { type Asked, askedReader } from './asked.ts'
import { capture, capturedOf, responseOf } from './capture.ts'
import { serving } from './serving.ts'

export interface PublicQueriesOptions {
  /** That of the procedures: what it invalidates must go here too. */
  readonly cache: Cache
  readonly router: AnyRouter
  /**
   * The procedures that are answered so, such as `['product.byId']`: queries with `scope: null` and without `key`, `vary` and
   * `enabled`, before whose cache nothing stands that may refuse.
   */
  readonly paths: readonly string[]
  /** What the paths of procedures begin with, such as `/trpc`. Default: `/`. */
  readonly basePath?: string | undefined
  /** Seconds that HTTP caches may serve an answer without asking again, at most. Default: 0, they ask each time. */
  readonly maxAge?: number | undefined
  /** Seconds after those, in which they may serve it while they ask again (RFC 5861 §3). Default: none. */
  readonly staleWhileRevalidate?: number | undefined
  /** Seconds after those, in which they may serve it where the server fails (RFC 5861 §4). Default: none. */
  readonly staleIfError?: number | undefined
}

/** Wraps handlers of tRPC. */
export interface PublicQueries {
  /** A listener of Node's HTTP server, such as `createHTTPHandler` gives, or an Express application. */
  node(listener: RequestListener): RequestListener
  node<Q extends IncomingMessage, S extends ServerResponse>(
    listener: (request: Q, response: S) => void,
  ): (request: Q, response: S) => void
  /** A handler of Requests, such as one that calls `fetchRequestHandler`. */
  fetch(handler: (request: Request) => Promise<Response>): (request: Request) => Promise<Response>
}

const OPTIONS: ReadonlySet<string> = new Set<keyof PublicQueriesOptions>([
  'cache',
  'router',
  'paths',
  'basePath',
  'maxAge',
  'staleWhileRevalidate',
  'staleIfError',
])

/**
 * Answers GET requests for public queries with the bytes of the whole answer, without tRPC: neither `createContext` nor
 * middlewares nor `responseMeta` are asked on a hit. They are kept as long as the answers in them, and go with the same tags. All
 * other requests go to the handler.
 *
 * @throws TypeError, RangeError or Error for bad options, and for procedures that can't be answered so
 */
export function publicQueries(options: PublicQueriesOptions): PublicQueries {
  const internals = internalsOf(options?.cache)
  known('publicQueries', options, OPTIONS)
  const { router, paths, basePath = '/', maxAge = 0, staleWhileRevalidate, staleIfError } = options
  if (typeof basePath !== 'string')
    throw new TypeError(`basePath must be a path such as '/trpc', got ${show(basePath)}`)
  for (const [name, given] of Object.entries({ maxAge, staleWhileRevalidate, staleIfError })) {
    if (given === undefined || (typeof given === 'number' && given >= 0)) continue
    throw new RangeError(`${name} must be at least 0 (s), got ${show(given)}`)
  }
  const read = askedReader(internals, router, paths, basePath)
  const serve = serving(internals, formOf(router))

  function askedOf(
    method: string | undefined,
    url: string,
    header: (name: string) => string | null,
  ): Asked | undefined {
    if (method !== 'GET') return undefined
    const form = header('trpc-accept') ?? header('accept') ?? ''
    return form.includes('jsonl') || form.includes('event-stream') ? undefined : read(url)
  }

  function fieldsOf(
    { etag, type, createdAt, ttl, bytes }: PublicAnswer,
    outcome: CacheOutcome,
    vary: string | undefined,
  ): Record<string, string> {
    const age = Math.max(0, internals.now() - createdAt)
    const isKept = outcome.type === 'hit' || (outcome.type === 'forwarded' && outcome.stored)
    const fresh = isKept ? Math.min((ttl - age) / 1000, maxAge) : 0
    const seconds = Math.floor(age / 1000)
    const policy = {
      shared: true,
      maxAge: fresh >= 1 ? fresh + seconds : 0,
      staleWhileRevalidate,
      staleIfError,
      store: true,
    }
    return {
      'content-type': type,
      'content-length': String(bytes.byteLength),
      'cache-control': cacheControlOf(policy),
      'cache-status': cacheStatusOf(outcome),
      vary: varyOf(vary ?? null, ['trpc-accept', 'accept']),
      etag,
      ...(outcome.type === 'hit' || (outcome.type === 'forwarded' && outcome.collapsed) || seconds > 0
        ? { age: String(seconds) }
        : {}),
    }
  }

  /** @param vary as others have said it, such as CORS: what they say of this answer holds for the whole of it */
  function reply(
    answer: PublicAnswer,
    outcome: CacheOutcome,
    ifNoneMatch: string | null | undefined,
    vary: string | undefined,
  ) {
    const { 'content-type': type, 'content-length': length, ...others } = fieldsOf(answer, outcome, vary) as Fields
    if (matchesEtag(ifNoneMatch, answer.etag)) return { status: 304, headers: others, body: undefined }
    const headers: Record<string, string> = { 'content-type': type, 'content-length': length, ...others }
    return { status: 200, headers, body: answer.bytes }
  }

  async function answer<Q extends IncomingMessage, S extends ServerResponse>(
    asked: Asked,
    request: Q,
    response: S,
    listener: (request: Q, response: S) => void,
  ): Promise<void> {
    const ifNoneMatch = request.headers['if-none-match']
    const vary = response.getHeader('vary')?.toString() // the listener may set its own in the place of it
    const served = await serve(asked, () => capture(response, () => listener(request, response)))
    if (served.type === 'own') {
      const { answer, captured, outcome } = served
      const all = varyOf(vary ?? null, [captured.header('vary') ?? ''])
      captured.send(answer && reply(answer, outcome, ifNoneMatch, all))
    } else if (response.destroyed) {
      return // the client has left
    } else if (served.type === 'pass') {
      listener(request, response)
    } else {
      const { status, headers, body } = reply(served.answer, served.outcome, ifNoneMatch, vary)
      response.writeHead(status, headers).end(body)
    }
  }

  return {
    node:
      <Q extends IncomingMessage, S extends ServerResponse>(listener: (request: Q, response: S) => void) =>
      (request: Q, response: S) => {
        const { method, url = '', headers } = request
        const asked = askedOf(method, url, (name) => headers[name]?.toString() ?? null)
        // A cookie that was set in front is one client's, and so is the answer then.
        if (asked === undefined || response.hasHeader('set-cookie')) listener(request, response)
        else answer(asked, request, response, listener).catch((error: Error) => response.destroy(error))
      },

    fetch: (handler) => async (request) => {
      const asked = askedOf(request.method, request.url.replace(/^[a-z]+:\/\/[^/]*/i, ''), (name) =>
        request.headers.get(name),
      )
      if (asked === undefined) return handler(request)
      const served = await serve(asked, async () => capturedOf(await handler(request)))
      if (served.type === 'pass') return handler(request)
      const ifNoneMatch = request.headers.get('if-none-match')
      if (served.type === 'stored') return responseOf(reply(served.answer, served.outcome, ifNoneMatch, undefined))
      const { answer, captured, outcome } = served
      return captured.response(answer && reply(answer, outcome, ifNoneMatch, captured.header('vary')))
    },
  }
}

type Fields = Record<string, string> & { 'content-type': string; 'content-length': string }

/** What the router's transformer makes of a value of each kind. */
function formOf(router: AnyRouter): string {
  const { transformer } = router._def._config
  try {
    return JSON.stringify(
      transformer.output.serialize({ a: [1, null, 'b'], at: new Date(0), more: undefined, map: new Map([[1, 2n]]) }),
    )
  } catch {
    return 'none'
  }
}
