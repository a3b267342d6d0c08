import { TRPCError } from '@trpc/server'
import { isShareable, messageOf } from '../../core/errors.ts'
import type { Internals } from '../../core/internals.ts'
import { scopeOf } from '../../core/scope.ts'
import type { FoundUse } from '../../core/trip.ts'
import type { CacheOutcome } from '../http/cacheStatus.ts'
import { told, UNKEYED } from './errors.ts'
import type { Call, Settings } from './options.ts'
import { type CallOutcome, note } from './outcomes.ts'

/** What a middleware is called with. */
export interface MiddlewareCall extends Call {
  readonly type: 'query' | 'mutation' | 'subscription'
  readonly meta: unknown
  readonly signal: AbortSignal | undefined
  getRawInput(): Promise<unknown>
  next(changed?: { getRawInput(): Promise<unknown> }): Promise<MiddlewareResult>
}

export type MiddlewareResult =
  | { readonly ok: true; readonly data: unknown }
  | { readonly ok: false; readonly error: TRPCError }

/** Answers a query from the cache, or by what stands behind the middleware. */
export type AnswerCall = (call: MiddlewareCall, settings: Settings) => Promise<MiddlewareResult>

/** The ids of which a call runs what is behind it, by its cache, and by what is the call's alone. */
type Led = WeakMap<MiddlewareCall['getRawInput'], Set<string>>
const LED = new WeakMap<Internals, Led>()

/** The same for all middlewares of a cache: the second one in a chain must not wait for the first, which waits for it. */
function ledOf(internals: Internals): Led {
  const led = LED.get(internals) ?? new WeakMap()
  LED.set(internals, led)
  return led
}

export function answering(internals: Internals): AnswerCall {
  const led = ledOf(internals)
  /** Paths at which what the client sent is read behind the cache too: the input as it was parsed before is not all of it. */
  const reread = new Set<string>()

  async function bypassed(call: MiddlewareCall, detail: string): Promise<MiddlewareResult> {
    const result = await call.next()
    noteBypass(call, detail)
    return result
  }

  function noteBypass(call: MiddlewareCall, detail: string): void {
    noteUnkept(call, { type: 'forwarded', why: 'bypass', detail })
  }

  function noteUnkept({ ctx, getRawInput }: MiddlewareCall, outcome: CacheOutcome): void {
    note(ctx, { call: getRawInput, outcome, public: false, left: undefined, age: 0 })
  }

  async function idOf(
    call: MiddlewareCall,
    { key, vary }: Settings,
    whose: string | null,
    isReread: boolean,
  ): Promise<string | undefined> {
    const what = `tRPC query ${call.path}`
    try {
      const asked =
        key !== undefined ? await key(call) : call.input === undefined ? await call.getRawInput() : call.input
      const varied = vary === undefined ? [] : [await vary(call)]
      const sent = key === undefined && isReread ? ['sent', await call.getRawInput()] : []
      return internals.idOf(what, ['trpc', call.path], [asked, whose, ...varied, ...sent])
    } catch (error) {
      internals.events.emit({ type: 'bypass', what, reason: `its key can't be made: ${messageOf(error)}` })
      return undefined
    }
  }

  function tellReread(path: string): void {
    if (reread.has(path)) return
    reread.add(path)
    const reason = 'its input is read behind the cache too: from now on its key has what the client sent'
    internals.events.emit({ type: 'bypass', what: `tRPC query ${path}`, reason })
  }

  function isEnabled(call: MiddlewareCall, settings: Settings): boolean {
    try {
      return settings.enabled(call)
    } catch (error) {
      internals.events.emit({
        type: 'bypass',
        what: `tRPC query ${call.path}`,
        reason: `enabled failed: ${messageOf(error)}`,
      })
      return false
    }
  }

  return async (call, settings) => {
    const { ctx, next, path, getRawInput, signal } = call
    if (!isEnabled(call, settings)) return bypassed(call, 'disabled')
    const { scope } = settings
    const whose = scopeOf(internals, `tRPC query ${path}`, 'scope', () =>
      typeof scope === 'function' ? scope(call) : scope,
    )
    if (whose === undefined) return bypassed(call, 'no scope')
    const isReread = reread.has(path)
    const id = await idOf(call, settings, whose, isReread)
    if (id === undefined) return bypassed(call, 'no key')
    const within = led.get(getRawInput) ?? new Set()
    if (within.has(id)) return next() // the cache before notes how it was answered

    /** What `next()` gave, if this call ran it: its own callers get just that. */
    let own: MiddlewareResult | undefined
    let hit: { readonly left: number; readonly age: number } | undefined
    let stored = false
    const order = {
      id,
      key: ['trpc', path],
      shape: `tRPC query ${path}`,
      policy: settings.policy(call),
      tags: settings.tags(call),
      forced: false,
      onFound({ createdAt, ttl }: { readonly createdAt: number; readonly ttl: number }, use: FoundUse) {
        if (use !== 'hit') return
        const age = Math.max(0, internals.now() - createdAt)
        hit = { left: ttl - age, age }
      },
      onStore() {
        stored = true
      },
    }
    /** Where the key has the parsed input alone: whether something behind the cache has read what the client sent. */
    let unkeyed = false
    const isParsed = settings.key === undefined && call.input !== undefined && !isReread
    const read = () => {
      unkeyed = true
      return getRawInput()
    }
    const load = async () => {
      led.set(getRawInput, within.add(id)).set(read, within)
      try {
        own = await next(isParsed ? { getRawInput: read } : undefined)
      } finally {
        within.delete(id)
      }
      if (unkeyed) throw UNKEYED
      if (!own.ok) throw own.error
      return own.data
    }
    try {
      const data = await internals.ask(order, load, signal)
      note(ctx, outcomeOf(data))
      return own ?? { ok: true, data }
    } catch (error) {
      if (unkeyed) {
        tellReread(path)
        noteBypass(call, 'not shared')
      } else noteUnkept(call, { type: 'forwarded', why: 'miss', collapsed: own === undefined })
      if (own !== undefined && (unkeyed || !own.ok)) return own
      if (error === UNKEYED) return bypassed(call, 'not shared')
      // Of another caller here: it may speak of that one's rights.
      if (own === undefined && error instanceof TRPCError && !isShareable(error)) return bypassed(call, 'not shared')
      throw told(error, signal)
    }

    function outcomeOf(data: unknown): CallOutcome {
      const varies = settings.key !== undefined || settings.vary !== undefined
      const what = { call: getRawInput, public: whose === null, varies }
      const tags = () => (typeof order.tags === 'function' ? order.tags(data) : order.tags)
      if (hit !== undefined) {
        const { left, age } = hit
        return { ...what, outcome: { type: 'hit', ttl: left }, left, age, tags }
      }
      // Of what another call has computed it is not known whether it is kept.
      const { ttl } = order.policy
      const left = stored && typeof ttl === 'number' ? ttl : undefined
      const kept = { stored, collapsed: own === undefined, ttl: left }
      return { ...what, outcome: { type: 'forwarded', why: 'miss', ...kept }, left, age: 0, tags }
    }
  }
}
