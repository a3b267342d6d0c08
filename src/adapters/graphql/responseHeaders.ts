import { appendCacheStatus, type CacheOutcome } from '../http/cacheStatus.ts'
import { matchesEtag } from '../http/etag.ts'
import { type RequestDirectives, requestDirectives } from '../http/requestDirectives.ts'
import { cacheControlOf, type ResponsePolicy, strictest } from '../http/responsePolicy.ts'
import { varyOf } from '../http/vary.ts'
import type { Answer } from './execution.ts'
import { isUnchanged } from './served.ts'

/** What the HTTP side of a plugin is told. */
export interface HttpOptions {
  /**
   * Seconds that HTTP caches may serve a response without asking again, at most; also one of which no policy says how long
   * it is fresh. They can't be told to forget: an invalidation does not reach them. Default: what the schema's or the
   * options' policy says, and nothing without one.
   */
  readonly maxAge?: number | undefined
  /** Names of request headers that responses depend on, besides `Accept`: `['Accept-Language']`. Default: none. */
  readonly vary?: readonly string[] | undefined
  /** Whether what clients say in `Cache-Control` counts: `no-cache`, `no-store`, `max-age`, `only-if-cached`. Default: no. */
  readonly honorRequest?: boolean | undefined
}

/** What is known of the answers to one request. */
export interface HttpAnswers {
  /** Operations that were asked for. */
  asked: number
  readonly answers: Answer[]
}

/** The headers of responses, and what requests say. */
export interface ResponseHeaders {
  /** What the request says about caches, where that counts. */
  directives(request: Request): RequestDirectives | undefined
  /** Writes what HTTP caches have to know; another response, without a body, where the client has it already. */
  write(request: Request, response: Response, known: HttpAnswers, fetchAPI: { Response: typeof Response }): Response
}

const OPTIONS: ReadonlySet<string> = new Set(['maxAge', 'vary', 'honorRequest'])

/** @throws TypeError or RangeError for bad options */
export function responseHeaders(options: HttpOptions, now: () => number): ResponseHeaders {
  if (typeof options !== 'object' || options === null) throw new TypeError('http must be an object of options')
  for (const name of Object.keys(options)) {
    if (!OPTIONS.has(name)) throw new TypeError(`http has no option "${name}"; it has ${[...OPTIONS].join(', ')}`)
  }
  const { maxAge, vary = [], honorRequest = false } = options
  if (maxAge !== undefined && !(typeof maxAge === 'number' && maxAge >= 0)) {
    throw new RangeError(`http.maxAge must be at least 0 (s), got ${String(maxAge)}`)
  }
  if (!Array.isArray(vary) || !vary.every((name) => typeof name === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(name))) {
    throw new TypeError('http.vary must be a list of header names')
  }
  if (typeof honorRequest !== 'boolean') throw new TypeError('http.honorRequest must be a boolean')
  const varies = ['Accept', ...vary]

  function policyOf({ response, scope }: Answer): ResponsePolicy {
    if (response === undefined) return { shared: false, maxAge: undefined, store: false }
    const { said, private: isPrivate, createdAt, ttl } = response
    const left = Math.min(said ? (createdAt + ttl - now()) / 1000 : (maxAge ?? 0), maxAge ?? Number.POSITIVE_INFINITY)
    const fresh = left >= 1
    return {
      shared: fresh && scope === null && !isPrivate,
      maxAge: fresh ? left + ageOf(response.createdAt) : undefined,
      store: true,
    }
  }

  /** s. */
  function ageOf(createdAt: number): number {
    return Math.max(0, Math.floor((now() - createdAt) / 1000))
  }

  return {
    directives: (request) => (honorRequest ? requestDirectives(request.headers) : undefined),

    write(request, response, { asked, answers }, fetchAPI) {
      const { headers } = response
      const [first] = answers
      if (first === undefined) return response
      headers.set('Cache-Status', appendCacheStatus(headers.get('Cache-Status'), worst(answers)))
      const kept = answers.map(({ response }) => response).filter((one) => one !== undefined)
      // Mutations, and what the cache has nothing to do with, say it themselves, or nothing.
      if (kept.length === 0 || response.status !== 200) return response
      const policies = answers.map(policyOf)
      // One that failed before it was executed has no answer here.
      const policy = answers.length < asked ? strictest([]) : strictest(policies)
      if (!headers.has('Cache-Control')) headers.set('Cache-Control', cacheControlOf(policy))
      headers.set('Vary', varyOf(headers.get('Vary'), varies))
      headers.set('Age', String(Math.max(...kept.map(({ createdAt }) => ageOf(createdAt)))))
      const etag = asked === 1 && isUnchanged(first.result) ? first.response?.etag : undefined
      if (etag === undefined || etag === '') return response
      headers.set('ETag', etag)
      const conditional = request.method === 'GET' || request.method === 'HEAD'
      if (!conditional || !matchesEtag(request.headers.get('If-None-Match'), etag)) return response
      headers.delete('Content-Type')
      headers.delete('Content-Length')
      return new fetchAPI.Response(null, { status: 304, headers })
    },
  }
}

/** What is said of several answers in one response: that of the one for which most was done. */
function worst(answers: readonly Answer[]): CacheOutcome {
  const outcomes = answers.map(({ outcome }) => outcome)
  return outcomes.find(({ type }) => type !== 'hit') ?? outcomes.reduce((a, b) => (ttlOf(a) <= ttlOf(b) ? a : b))
}

function ttlOf({ ttl = Number.POSITIVE_INFINITY }: CacheOutcome): number {
  return ttl
}
