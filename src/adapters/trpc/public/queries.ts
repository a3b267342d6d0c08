import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AnyRouter } from '@trpc/server'
import type { Cache } from '../../../core/cache.ts'
import { known, show } from '../../../core/checks.ts'
import { type Internals, internalsOf } from '../../../core/internals.ts'
import type { CallOptions, Policy } from '../../../core/options.ts'
import { type CacheOutcome, cacheStatusOf } from '../../http/cacheStatus.ts'
import { etagOf, matchesEtag } from '../../http/etag.ts'
import { cacheControlOf } from '../../http/responsePolicy.ts'
import { type CallOutcome, collect } from '../outcomes.ts'
import { isJsonType, type PublicAnswer, publicAnswerCodec } from './answer.ts'
import { type Asked, askedReader } from './asked.ts'
import { type Captured, capture } from './capture.ts'

export interface PublicQueriesOptions {
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
}

/** Wraps handlers of tRPC. */
export interface PublicQueries {
  /** A listener of Node's HTTP server, such as `createHTTPHandler` gives. */
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
])

/** Where each must run the handler. */
const UNSHARED = Object.freeze({ unshared: true })

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
  const { router, paths, basePath = '/', maxAge = 0, staleWhileRevalidate } = options
  if (typeof basePath !== 'string')
    throw new TypeError(`basePath must be a path such as '/trpc', got ${show(basePath)}`)
  for (const [name, given] of Object.entries({ maxAge, staleWhileRevalidate })) {
    if (given === undefined || (typeof given === 'number' && given >= 0)) continue
    throw new RangeError(`${name} must be at least 0 (s), got ${show(given)}`)
  }
  const read = askedReader(router, paths, basePath)
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
  ): Record<string, string> {
    const age = Math.max(0, internals.now() - createdAt)
    const fresh = Math.min((ttl - age) / 1000, maxAge)
    const seconds = Math.floor(age / 1000)
    const policy = { shared: true, maxAge: fresh >= 1 ? fresh + seconds : 0, staleWhileRevalidate, store: true }
    return {
      'content-type': type,
      'content-length': String(bytes.byteLength),
      'cache-control': cacheControlOf(policy),
      'cache-status': cacheStatusOf(outcome),
      vary: 'trpc-accept, accept',
      etag,
      ...(outcome.type === 'hit' || (outcome.type === 'forwarded' && outcome.collapsed)
        ? { age: String(seconds) }
        : {}),
    }
  }

  function reply(answer: PublicAnswer, outcome: CacheOutcome, ifNoneMatch: string | null | undefined) {
    const { 'content-type': type, 'content-length': length, ...others } = fieldsOf(answer, outcome) as Fields
    if (matchesEtag(ifNoneMatch, answer.etag)) return { status: 304, headers: others, body: undefined }
    const headers: Record<string, string> = { 'content-type': type, 'content-length': length, ...others }
    return { status: 200, headers, body: answer.bytes }
  }

  return {
    node: (listener) => (request, response) => {
      const { method, url = '', headers } = request
      const asked = askedOf(method, url, (name) => headers[name]?.toString() ?? null)
      if (asked === undefined) {
        listener(request, response)
        return
      }
      void serve(asked, () => capture(response, () => listener(request, response))).then((served) => {
        if (served.type === 'pass') {
          if (!response.writableEnded && !response.destroyed) listener(request, response)
          return
        }
        if (served.type === 'own') {
          const { answer, captured } = served
          captured.send(answer && reply(answer, STORED(answer), headers['if-none-match']))
          return
        }
        const { status, headers: fields, body } = reply(served.answer, served.outcome, headers['if-none-match'])
        response.writeHead(status, fields).end(body)
      })
    },

    fetch: (handler) => async (request) => {
      const asked = askedOf(request.method, request.url.replace(/^[a-z]+:\/\/[^/]*/i, ''), (name) =>
        request.headers.get(name),
      )
      if (asked === undefined) return handler(request)
      const served = await serve(asked, async () => capturedOf(await handler(request)))
      if (served.type === 'pass') return handler(request)
      if (served.type === 'own' && served.answer === undefined) return served.captured.response()
      const answer = served.answer as PublicAnswer
      const outcome = served.type === 'own' ? STORED(answer) : served.outcome
      const { status, headers, body } = reply(answer, outcome, request.headers.get('if-none-match'))
      return new Response(body as Uint8Array<ArrayBuffer> | undefined, { status, headers })
    },
  }
}

type Fields = Record<string, string> & { 'content-type': string; 'content-length': string }

const STORED = ({ ttl }: PublicAnswer): CacheOutcome => ({ type: 'forwarded', why: 'miss', stored: true, ttl })

/** How a request is answered. */
type Served<K extends Captured> =
  | { readonly type: 'stored'; readonly answer: PublicAnswer; readonly outcome: CacheOutcome }
  /** By its own run; `answer` where that is kept. */
  | { readonly type: 'own'; readonly captured: K; readonly answer: PublicAnswer | undefined }
  /** By the handler, whose answer nobody else may have. */
  | { readonly type: 'pass' }

/** @param form of what the router makes of values: another deployment's transformer may write them otherwise */
function serving(internals: Internals, form: string) {
  const policy = internals.policy({
    ttl: ({ ttl }: PublicAnswer) => ttl,
    shouldCache: (value: unknown) => value !== UNSHARED,
    codec: publicAnswerCodec,
  } as unknown as CallOptions<never>) as Policy

  return async <K extends Captured>(asked: Asked, run: () => Promise<K>): Promise<Served<K>> => {
    const key = ['trpc', 'public', asked.path]
    const id = internals.idOf('a public query', key, [asked.input, asked.batch, form])
    if (id === undefined) return { type: 'pass' }
    let own: { readonly captured: K; answer: PublicAnswer | undefined } | undefined
    let hit = false
    let tags: readonly string[] = []
    const onHit = () => {
      hit = true
    }
    const load = async () => {
      const { result: captured, outcomes } = await collect(run)
      own = { captured, answer: undefined }
      own.answer = answerOf(captured, outcomes, asked, internals.now())
      if (own.answer === undefined) return UNSHARED
      tags = [...new Set(outcomes.flatMap((outcome) => outcome.tags?.() ?? []))]
      return own.answer
    }
    let value: unknown
    try {
      value = await internals.ask({ id, key, policy, tags: () => tags, forced: false, onHit }, load, undefined)
    } catch {
      value = UNSHARED // whoever ran it has its answer, or has left
    }
    if (own !== undefined) return { type: 'own', ...own }
    if (value === UNSHARED) return { type: 'pass' }
    const answer = value as PublicAnswer
    const left = answer.createdAt + answer.ttl - internals.now()
    return {
      type: 'stored',
      answer,
      outcome: hit ? { type: 'hit', ttl: left } : { type: 'forwarded', why: 'miss', collapsed: true, ttl: left },
    }
  }
}

/** What of an answer is for everybody; `undefined` for nothing. */
function answerOf(
  { status, header, body }: Captured,
  outcomes: readonly CallOutcome[],
  { calls }: Asked,
  now: number,
): PublicAnswer | undefined {
  const type = header('content-type') ?? ''
  if (
    status !== 200 ||
    !isJsonType(type) ||
    header('set-cookie') !== undefined ||
    header('content-encoding') !== undefined
  )
    return undefined
  if (/no-store|private/i.test(header('cache-control') ?? '') || outcomes.length !== calls) return undefined
  if (!outcomes.every((one) => one.public && one.left !== undefined && one.left > 0)) return undefined
  const ttl = Math.min(...outcomes.map(({ left = 0 }) => left))
  return { bytes: body, etag: etagOf(body), type, createdAt: now, ttl }
}

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

interface CapturedFetch extends Captured {
  response(): Response
}

async function capturedOf(response: Response): Promise<CapturedFetch> {
  const body = Buffer.from(await response.arrayBuffer())
  const { status, headers } = response
  const isEmpty = status === 204 || status === 304 || body.byteLength === 0
  return {
    status,
    header: (name) => headers.get(name) ?? undefined,
    body,
    response: () => new Response(isEmpty ? null : body, { status, headers }),
  }
}
