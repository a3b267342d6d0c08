import type { Internals } from '../../../core/internals.ts'
import type { CallOptions, Policy } from '../../../core/options.ts'
import type { FoundUse } from '../../../core/order.ts'
import type { CacheOutcome } from '../../http/cacheStatus.ts'
import { etagOf } from '../../http/etag.ts'
import { type CallOutcome, collect } from '../outcomes.ts'
import { isJsonType, isPublicAnswer, type PublicAnswer, publicAnswerCodec } from './answer.ts'
import type { Asked } from './asked.ts'
import type { Captured } from './capture.ts'

/**
 * What the cache says of values is said of those in the answer: that is fresh for as long as all of them, and made anew by a
 * request, which alone has a response that tRPC can write into. Errors, and stale or negative values, are the procedures' affair.
 */
const NO_FRESHNESS = {
  staleWhileRevalidate: 0,
  staleIfError: 0,
  jitter: 0,
  earlyRefresh: false,
  isNegative: () => false,
  errorTtl: 0,
}

/** Where each must run the handler. */
const UNSHARED = Object.freeze({ unshared: true })

/** How a request is answered. */
export type Served<K extends Captured> =
  | { readonly type: 'stored'; readonly answer: PublicAnswer; readonly outcome: CacheOutcome }
  /** By its own run; `answer` where that is kept, and how it was come by. */
  | {
      readonly type: 'own'
      readonly captured: K
      readonly answer: PublicAnswer | undefined
      readonly outcome: CacheOutcome
    }
  /** By the handler, whose answer nobody else may have. */
  | { readonly type: 'pass' }

/** @param form of what the router makes of values: another deployment's transformer may write them otherwise */
export function serving(internals: Internals, form: string) {
  const policy = internals.policy({
    ttl: ({ createdAt, ttl }: PublicAnswer) => createdAt + ttl - internals.now(),
    shouldCache: (value: unknown) => value !== UNSHARED,
    codec: publicAnswerCodec,
    ...NO_FRESHNESS,
  } as unknown as CallOptions<never>) as Policy

  /** @throws what `run` throws, where this request runs it */
  return async <K extends Captured>(asked: Asked, run: () => Promise<K>): Promise<Served<K>> => {
    const key = ['trpc', 'public', asked.path]
    const id = internals.idOf('a public query', key, [asked.input, asked.batch, form])
    if (id === undefined) return { type: 'pass' }
    let own: { readonly captured: K; answer: PublicAnswer | undefined } | undefined
    let failed: { readonly error: unknown } | undefined
    let hit = false
    let stored = false
    let left = 0
    let tags: readonly string[] = []
    const onFound = (_: unknown, use: FoundUse) => {
      hit = use === 'hit'
    }
    const onStore = () => {
      stored = true
    }
    const load = async () => {
      const { result: captured, outcomes } = await collect(run).catch((error: unknown) => {
        failed = { error }
        throw error
      })
      own = { captured, answer: undefined }
      const now = internals.now()
      own.answer = answerOf(captured, outcomes, asked, now)
      if (own.answer === undefined) return UNSHARED
      left = own.answer.createdAt + own.answer.ttl - now
      tags = [...new Set(outcomes.flatMap((outcome) => outcome.tags?.() ?? []))]
      return own.answer
    }
    const shape = `public tRPC query ${asked.path}`
    const asker = { scope: null, operation: shape }
    const order = { id, key, shape, policy, tags: () => tags, forced: false, asker, onFound, onStore }
    let value: unknown
    try {
      value = await internals.ask(order, load, undefined)
    } catch {
      value = UNSHARED // of another request: this one asks for itself
    }
    if (failed !== undefined) throw failed.error
    // What was invalidated meanwhile nobody else may keep either.
    if (own !== undefined) {
      const outcome = { type: 'forwarded', why: 'miss', stored, ttl: left } as const
      return { type: 'own', captured: own.captured, answer: stored ? own.answer : undefined, outcome }
    }
    if (!isPublicAnswer(value)) return { type: 'pass' }
    const outcome: CacheOutcome = hit
      ? { type: 'hit', ttl: value.createdAt + value.ttl - internals.now() }
      : { type: 'forwarded', why: 'miss', collapsed: true } // whether it is kept is not known
    return { type: 'stored', answer: value, outcome }
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
  const left = Math.min(...outcomes.map(({ left = 0 }) => left))
  const age = Math.max(...outcomes.map(({ age }) => age)) // it is as old as what is in it
  return { bytes: body, etag: etagOf(body), type, createdAt: now - age, ttl: left + age }
}
