import { TRPCError } from '@trpc/server'
import { isShareable, messageOf } from '../../core/errors.ts'
import type { Internals } from '../../core/internals.ts'
import { scopeOf } from '../../core/scope.ts'
import type { CacheOutcome } from '../http/cacheStatus.ts'
import { told, UNKEYED } from './errors.ts'
import type { MiddlewareCall, MiddlewareResult } from './middleware.ts'
import type { Settings } from './options.ts'
import { note } from './outcomes.ts'
import { type Renewal, takeRenewal } from './renewing.ts'
import { type Run, runOf } from './run.ts'

/** Answers a query from the cache, or by what stands behind the middleware. */
export type AnswerCall = (call: MiddlewareCall, settings: Settings) => Promise<MiddlewareResult>

/** The ids of which a call runs what is behind it, by its cache, and by what is that run's alone. */
type Led = WeakMap<MiddlewareCall['getRawInput'], ReadonlySet<string>>
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

  function noteUnkept({ ctx, getRawInput }: MiddlewareCall, outcome: CacheOutcome, age = 0): void {
    note(ctx, { call: getRawInput, outcome, public: false, left: undefined, age })
  }

  async function idOf(
    call: MiddlewareCall,
    { key, vary }: Settings,
    whose: string | null,
    isReread: boolean,
  ): Promise<string | undefined> {
    const what = `tRPC query ${call.path}`
    try {
      const asked = key !== undefined ? await key(call) : call.input === undefined ? await sentBy(call) : call.input
      const varied = vary === undefined ? [] : [await vary(call)]
      const sent = key === undefined && isReread ? ['sent', await sentBy(call)] : []
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

  /** What a call asks the cache for; or why not. */
  async function askedOf(call: MiddlewareCall, settings: Settings): Promise<Asked | string> {
    if (!isEnabled(call, settings)) return 'disabled'
    const { scope } = settings
    const whose = scopeOf(internals, `tRPC query ${call.path}`, 'scope', () =>
      typeof scope === 'function' ? scope(call) : scope,
    )
    if (whose === undefined) return 'no scope'
    const isReread = reread.has(call.path)
    const id = await idOf(call, settings, whose, isReread)
    return id === undefined ? 'no key' : { id, whose, isReread }
  }

  function prepare(call: MiddlewareCall, settings: Settings, { id, whose, isReread }: Asked): Run {
    const isParsed = settings.key === undefined && call.input !== undefined && !isReread
    const subject = { id, whose, isParsed }
    return runOf(call, settings, subject, {
      begin(read) {
        led.set(read, new Set(led.get(call.getRawInput)).add(id))
      },
      tellUnkeyed: () => tellReread(call.path),
      now: internals.now,
    })
  }

  async function answer(call: MiddlewareCall, settings: Settings): Promise<MiddlewareResult> {
    const { ctx, next, getRawInput, signal } = call
    const asked = await askedOf(call, settings)
    if (typeof asked === 'string') return bypassed(call, asked)
    if (led.get(getRawInput)?.has(asked.id)) return next() // the cache before notes how it was answered
    const run = prepare(call, settings, asked)
    const { order } = run
    try {
      const data = await internals.ask(order, run.load, signal)
      const varies = settings.key !== undefined || settings.vary !== undefined
      const tags = () => (typeof order.tags === 'function' ? order.tags(data) : (order.tags ?? []))
      note(ctx, { call: getRawInput, public: asked.whose === null, varies, ...run.answered(), tags })
      const isStored = run.use === 'hit' || run.use === 'fallback'
      return isStored || run.own === undefined ? { ok: true, data } : run.own
    } catch (error) {
      const { own, unkeyed } = run
      if (unkeyed) noteBypass(call, 'not shared')
      else {
        const { outcome, age } = run.failed()
        noteUnkept(call, outcome, age)
      }
      if (own !== undefined && (unkeyed || !own.ok)) return own
      if (error === UNKEYED) return bypassed(call, 'not shared')
      // Of another caller here: it may speak of that one's rights.
      if (own === undefined && error instanceof TRPCError && !isShareable(error)) return bypassed(call, 'not shared')
      throw told(error, signal)
    }
  }

  /** Sees to it that what the call asks for is fresh. Nobody is answered by it. */
  async function renew(call: MiddlewareCall, settings: Settings, renewal: Renewal): Promise<MiddlewareResult> {
    const asked = await askedOf(call, settings)
    if (typeof asked === 'string') throw new Error(`${call.path} is not cached: ${asked}`)
    if (asked.whose !== null) throw new Error(`${call.path} is somebody's own: only what has scope null is kept fresh`)
    const run = prepare(call, settings, asked)
    renewal.renewed = renewal.renew(run.order, run.load).catch((error: unknown) => {
      throw run.own?.ok === false ? run.own.error : error
    })
    await renewal.renewed
    return { ok: true, data: undefined }
  }

  return (call, settings) => {
    const renewal = takeRenewal(internals, call.path)
    return renewal === undefined ? answer(call, settings) : renew(call, settings, renewal)
  }
}

/** @throws Error that says nothing of what was sent, as those of parsers do */
async function sentBy({ getRawInput }: MiddlewareCall): Promise<unknown> {
  try {
    return await getRawInput()
  } catch {
    throw new Error('what the client sent can not be read')
  }
}

interface Asked {
  readonly id: string
  /** `null` for everybody's. */
  readonly whose: string | null
  /** Whether the key has what the client sent besides what was parsed of it. */
  readonly isReread: boolean
}
