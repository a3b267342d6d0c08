import { known, show } from '../../../core/checks.ts'
import { ageOf, freshFor } from '../../../core/freshness.ts'
import { appendCacheStatus, type CacheOutcome } from '../../http/cacheStatus.ts'
import { matchesEtag } from '../../http/etag.ts'
import { type RequestDirectives, requestDirectives } from '../../http/requestDirectives.ts'
import { cacheControlOf, type ResponsePolicy, sentWithAge, strictest } from '../../http/responsePolicy.ts'
import { varyOf } from '../../http/vary.ts'
import type { Answer } from '../responses/answer.ts'
import { isUnchanged } from '../results/served.ts'

/** What the HTTP side of a plugin is told. */
export interface HttpOptions {
  /**
   * Seconds that HTTP caches may serve a response without asking again, at most, and never longer than it is stored; also
   * one of which no policy says how long it is fresh. They can't be told to forget: an invalidation does not reach them.
   * Default: what `@cacheControl` or `setCacheHint` says, and nothing without one; ttls of the options are of this cache alone.
   */
  readonly maxAge?: number | undefined
  /** Seconds after those, in which they may serve it while they ask again (RFC 5861 §3); 0 for none. Default: as this cache does. */
  readonly staleWhileRevalidate?: number | undefined
  /** Seconds after those, in which they may serve it where they get an error (RFC 5861 §4); 0 for none. Default: as this cache does. */
  readonly staleIfError?: number | undefined
  /**
   * Names of request headers that responses depend on, besides `Accept`: what tells sessions apart, `Accept-Language`, and
   * `Origin` where CORS allows several. For HTTP caches only: what a response depends on must be in its session or its key
   * too. Default: `['Authorization', 'Cookie']` for what has a `max-age`; say `[]` where all is the same for everybody.
   */
  readonly vary?: readonly string[] | undefined
  /** Whether what clients say in `Cache-Control` counts: `no-cache`, `no-store`, `max-age`, `max-stale`, `only-if-cached`. Default: no. */
  readonly honorRequest?: boolean | undefined
}

/** What is known of the answers to one request. */
export interface HttpAnswers {
  /** Operations that were asked for. */
  asked: number
  readonly answers: Answer[]
  /** What is written of them, a list for a batch; `undefined` where that was not seen. */
  written?: unknown
}

/** What is to be written. */
export interface Written {
  /** By name in lower case, in place of those that are there: some `Headers` find no others in copies of themselves. */
  readonly written: Record<string, string>
  /** The client has the response already: 304, without its content. */
  readonly notModified: boolean
}

/** The headers of responses, and what requests say. */
export interface ResponseHeaders {
  /** What the request says about caches, where that counts. */
  directives(request: Request): RequestDirectives | undefined
  /** What HTTP caches have to know of a response with this status and these fields. */
  fields(request: Request, status: number, before: Fields, known: HttpAnswers): Written
  /** Writes that into the response; another response, without a body, where the client has it already. */
  write(request: Request, response: Response, known: HttpAnswers, fetchAPI: { Response: typeof Response }): Response
}

const OPTIONS: ReadonlySet<string> = new Set(['maxAge', 'staleWhileRevalidate', 'staleIfError', 'vary', 'honorRequest'])

/** @throws TypeError or RangeError for bad options */
export function responseHeaders(options: HttpOptions, now: () => number): ResponseHeaders {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`http must be an object of options, got ${show(options)}`)
  }
  known('http', options, OPTIONS)
  const { maxAge, staleWhileRevalidate, staleIfError, vary, honorRequest = false } = options
  checkSeconds('maxAge', maxAge)
  checkSeconds('staleWhileRevalidate', staleWhileRevalidate)
  checkSeconds('staleIfError', staleIfError)
  if (vary !== undefined && !isListOfNames(vary)) {
    throw new TypeError(`http.vary must be a list of header names, got ${show(vary)}`)
  }
  if (typeof honorRequest !== 'boolean') {
    throw new TypeError(`http.honorRequest must be true or false, got ${show(honorRequest)}`)
  }

  const variesBy = (names: readonly string[]) => ({ names, text: varyOf(null, names) })
  const ofAll = variesBy(['Accept', ...(vary ?? [])])
  /** Of what is kept without being asked for again: one browser may have one user after the other, or nobody first. */
  const ofKept = variesBy(['Accept', ...(vary ?? OF_SESSIONS)])

  /** `maxAge` in seconds from now on; 0 or less for what is stale, since when. `own`: it is sent as it is stored. */
  function policyOf(answer: Answer, own: boolean): ResponsePolicy {
    const { response, times, scope } = answer
    if (response === undefined || times === undefined) return { shared: false, maxAge: undefined, store: false }
    const { said, private: isPrivate, noCache } = response
    const left = (answer.made ? times.ttl : freshFor(times, now())) / 1000
    const most = maxAge ?? (said ? Number.POSITIVE_INFINITY : 0)
    // What another plugin made of it may be for this client alone.
    if (most < 1 || noCache || !own) return { shared: false, maxAge: undefined, store: true }
    // What is stale here already is not so for longer there.
    const window = (option: number | undefined, stored: number) =>
      option === undefined || (left <= 0 && stored < option) ? stored : option
    return {
      shared: scope === null && !isPrivate,
      maxAge: Math.min(left, most),
      staleWhileRevalidate: window(staleWhileRevalidate, times.staleWhileRevalidate / 1000),
      staleIfError: window(staleIfError, times.staleIfError / 1000),
      store: true,
    }
  }

  /** s, of the oldest that was not made for this request (RFC 9111 §5.1); `undefined` where all were. */
  function oldest(answers: readonly Answer[]): number | undefined {
    const ages = answers.map(({ response, times, made }) => {
      if (made || response === undefined || times === undefined) return -1
      return ageOf(times.createdAt, now()) / 1000
    })
    const age = Math.max(...ages)
    return age < 0 ? undefined : age
  }

  function fields(request: Request, status: number, before: Fields, known: HttpAnswers): Written {
    const { asked, answers } = known
    const written: Record<string, string> = {}
    const said = (notModified: boolean): Written => ({ written, notModified })
    if (answers.length === 0) return said(false)
    written['cache-status'] = appendCacheStatus(before.get('cache-status') ?? null, worst(answers))
    if (answers.every(isForeign)) return said(false)
    // One that failed before it was executed has no answer here.
    const complete = status === 200 && answers.length >= asked
    const allowed = strictest(complete ? answers.map((one) => policyOf(one, isAsStored(one, known, before))) : [])
    const age = oldest(answers)
    const policy = sent(allowed, before, age ?? 0)
    if (!before.has('cache-control')) written['cache-control'] = cacheControlOf(policy)
    const varies = policy.maxAge === undefined ? ofAll : ofKept
    const there = before.get('vary')
    written.vary = there === undefined ? varies.text : varyOf(there, varies.names)
    if (age !== undefined) written.age = String(Math.floor(age))
    const etag = complete && !before.has('etag') ? etagFor(known, before) : undefined
    if (etag === undefined) return said(false)
    written.etag = etag
    const conditional = request.method === 'GET' || request.method === 'HEAD'
    return said(conditional && matchesEtag(request.headers.get('If-None-Match'), etag))
  }

  return {
    directives: (request) => (honorRequest ? requestDirectives(request.headers) : undefined),

    fields,

    write(request, response, known, fetchAPI) {
      const { headers } = response
      const before = fieldsOf(headers)
      const { written, notModified } = fields(request, response.status, before, known)
      for (const [name, value] of Object.entries(written)) {
        if (before.has(name)) headers.delete(name)
        headers.set(name, value)
      }
      if (!notModified) return response
      for (const name of OF_CONTENT) headers.delete(name)
      return new fetchAPI.Response(null, { status: 304, headers })
    },
  }
}

/** Request headers that tell sessions apart, mostly. */
const OF_SESSIONS = ['Authorization', 'Cookie']

/** A 304 has none of them (RFC 9110 §15.4.5). */
export const OF_CONTENT: ReadonlySet<string> = new Set(['content-type', 'content-length', 'content-encoding'])

function checkSeconds(name: string, given: unknown): void {
  if (given === undefined || (typeof given === 'number' && given >= 0)) return
  throw new RangeError(`http.${name} must be at least 0 (s), got ${show(given)}`)
}

/** Mutations, and what the cache has nothing to do with, say it themselves, or nothing. */
function isForeign({ outcome }: Answer): boolean {
  return outcome.type === 'forwarded' && (outcome.why === 'method' || outcome.detail === 'disabled')
}

function isListOfNames(given: unknown): given is readonly string[] {
  return Array.isArray(given) && given.every((name) => typeof name === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(name))
}

/** The policy as it is sent. */
function sent(allowed: ResponsePolicy, fields: Fields, age: number): ResponsePolicy {
  const policy = sentWithAge(allowed, age)
  if (policy.maxAge === undefined || policy.maxAge < 1) return { ...policy, shared: false, maxAge: undefined }
  // Caches keep cookies with the response (RFC 9111 §7.3): they are not for others.
  return { ...policy, shared: policy.shared && !fields.has('set-cookie') }
}

/** By name in lower case. */
export type Fields = ReadonlyMap<string, string>

/**
 * The fields as they will be sent. In the `Headers` that Yoga has on Node some are not found by `get` and `has`: cookies
 * given at construction, names of which two spellings were set, names in a copy.
 */
function fieldsOf(headers: Headers): Fields {
  const fields = new Map<string, string>()
  headers.forEach((value, name) => {
    const id = name.toLowerCase()
    const before = fields.get(id)
    fields.set(id, before === undefined ? value : `${before}, ${value}`)
  })
  return fields
}

/** Whether the answer is sent as it is stored: no plugin has changed it, and it is not wrapped into anything. */
function isAsStored({ result }: Answer, { written }: HttpAnswers, fields: Fields): boolean {
  if (!isUnchanged(result) || !isJson(fields.get('content-type'))) return false
  return written === undefined || (Array.isArray(written) ? written.includes(result) : written === result)
}

function isJson(type = ''): boolean {
  return type.startsWith('application/json') || type.startsWith(GRAPHQL_JSON)
}

const GRAPHQL_JSON = 'application/graphql-response+json'

/** The entity tag of a response that is one answer as it is stored. */
function etagFor(known: HttpAnswers, fields: Fields): string | undefined {
  const { asked, answers, written } = known
  const [first] = answers
  if (first?.response === undefined || first.response.etag === '') return undefined
  if (asked !== 1 || answers.length > 1 || Array.isArray(written) || !isAsStored(first, known, fields)) return undefined
  // One tag is of one representation: of the same bytes under another type it is another (RFC 9110 §8.8.1).
  const isGraphql = fields.get('content-type')?.startsWith(GRAPHQL_JSON) === true
  const etag = isGraphql ? first.response.etag.replace(/"$/, '-graphql"') : first.response.etag
  // The tag is of the text: of compressed bytes it is a weak one (RFC 9110 §8.8.1).
  return /^(?:none|identity)?$/.test(fields.get('content-encoding') ?? '') ? etag : `W/${etag}`
}

/** What is said of several answers in one response: that of the one for which most was done. */
function worst(answers: readonly Answer[]): CacheOutcome {
  const outcomes = answers.map(({ outcome }) => outcome)
  return outcomes.find(({ type }) => type !== 'hit') ?? outcomes.reduce((a, b) => (ttlOf(a) <= ttlOf(b) ? a : b))
}

function ttlOf(outcome: CacheOutcome): number {
  return outcome.type === 'hit' ? outcome.ttl : Number.POSITIVE_INFINITY
}
