import type { Cache, CacheEventType } from '../../../src/index.ts'
import { createActions } from './actions.ts'
import { createAsking } from './asking.ts'
import { createBarriers } from './barrier.ts'
import { createCallers } from './caller.ts'
import { createChanges } from './changes.ts'
import { createClock } from './clock.ts'
import { createHost, type Host } from './host.ts'
import { createLedger } from './ledger.ts'
import { createNetwork } from './network.ts'
import { createOrigin } from './origin.ts'
import { chooseBy, createRandom } from './random.ts'
import type { Subject } from './subject.ts'
import { createTagging, isTag } from './tagging.ts'

/** One interleaving, and what was wrong with it. */
export interface Schedule {
  readonly seed: number
  /** The first thing that must not be; `undefined` for none. */
  readonly violation: string | undefined
  /** What happened, step by step. */
  readonly trace: readonly string[]
  /** How often: events of all instances, and what else it is good to have seen. */
  readonly counts: Readonly<Partial<Record<CacheEventType | Seen, number>>>
}

/** What is no event. */
export type Seen =
  | 'a set that lost'
  | 'a change told again'
  | 'a change told again after a crash'
  | 'a leader without the clock'
  | 'a value refused by its tags'

/** Short, so that leases end and commands time out within one schedule. */
const LEASE = 300
const FLIGHT = 900
const BUDGET = 50
/** ms that a memory tier keeps a value. */
const MEMORY = 400
/** How many steps a schedule has before everything is let go. */
const STEPS = 110
/** After so many the end is not coming. */
const MOST_STEPS = 3000

/** Plays the interleaving of this seed: the same seed is the same interleaving. */
export async function play(subject: Subject, seed: number): Promise<Schedule> {
  using clock = createClock()
  const random = createRandom(seed)
  let n = 0
  const step = () => n
  const trace: string[] = []
  const counts: Partial<Record<CacheEventType | Seen, number>> = {}
  const keys = random.chance(0.7) ? ['k'] : ['k', 'l']
  const tagged = random.chance(0.65)
  // By another chance: without them a seed is what it was before there were such things.
  const more = createRandom(-1 - seed)
  /** Whether values may be stale, and be refreshed behind answers. */
  const stale = more.chance(0.3)
  const remembering = more.chance(0.3)
  using _ = chooseBy(more)
  const origin = createOrigin(step, new Map(keys.map((key) => [key, createTagging(random, tagged)])))
  const barriers = createBarriers(step, isTag)
  const ledger = createLedger({ origin, barriers, step, count })
  const asking = createAsking({ step, flights: stale ? 3 : 2, oldest, accuse: ledger.accuse })
  const network = createNetwork({ subject, ledger, asking, barriers, keys, random, step })
  const callers = createCallers({ subject, origin, barriers, ledger, stale, random, step })
  const changes = createChanges({ random, origin, barriers, ledger, keys, tagged, step, run, count })
  const hosts = ['A', 'B', 'C', 'D'].slice(0, 3 + random.below(2)).map(createHost)
  const rejected = (error: unknown) => ledger.accuse(`an unhandled rejection: ${String(error)}`)
  process.on('unhandledRejection', rejected)

  function oldest(host: Host, key: string): number {
    return Math.min(
      n,
      ...callers.waiting.filter((call) => call.host === host && call.key === key).map((call) => call.askedAt),
    )
  }

  function count(what: CacheEventType | Seen): void {
    counts[what] = (counts[what] ?? 0) + 1
  }

  function note(text: string): void {
    trace.push(`${String(n).padStart(4)} ${clock.now().toFixed(0).padStart(6)} ms  ${text}`)
  }

  async function check(): Promise<void> {
    ledger.check(await Promise.all(keys.map(async (key) => [key, await network.observe(key)] as const)))
  }

  /** Runs one step, as code of the host, and looks whether everything still holds. */
  async function run(host: Host | undefined, text: string, enter: () => void): Promise<void> {
    n++
    note(text)
    await clock.run(host, enter)
    for (const each of hosts) each.cause = undefined
    await check()
  }

  async function advance(ms: number): Promise<void> {
    n++
    note(`${ms} ms pass`)
    await clock.advance(ms, ran)
  }

  function ran(): Promise<void> {
    n++
    return check()
  }

  function create(host: Host): Cache {
    const cache = subject.createCache({
      store: network.storeOf(host),
      ttl: 1000,
      leaseTtl: LEASE,
      maxFlightTime: FLIGHT,
      commandTimeout: BUDGET,
      breaker: { failures: 3, retryAfter: 100 },
      ...(remembering && more.chance(0.7) ? { memory: { ttl: MEMORY } } : {}),
    })
    cache.on('*', (event) => {
      count(event.type)
      if (event.type === 'release' && event.reason === 'invalidated') count('a value refused by its tags')
      const detach = (key: string | undefined) => key !== undefined && host.detached.push({ key, at: n })
      if (event.type === 'invalidate' && event.remote) {
        event.keys.forEach(detach)
        if (event.tags.length > 0) detach('all')
      }
      if (event.type === 'clear' && event.remote) detach('all')
      if (event.type === 'fenced' || event.type === 'overdue' || event.type === 'waitTimeout') detach(event.key)
      if (event.type !== 'storeFault' || event.key === undefined) return
      if (event.op === 'set' || event.op === 'invalidate') detach(event.key)
      asking.gaveUp(host, event.key, event.op)
    })
    return cache
  }

  const actions = createActions({
    clock,
    random,
    network,
    origin,
    ledger,
    callers,
    changes,
    hosts,
    keys,
    run,
    advance,
    ran,
  })

  /** Nothing fails any more, and everything goes on at once: then everybody must get an answer. */
  async function letGo(): Promise<void> {
    await actions.heal()
    const healedAt = clock.now()
    let took = 0
    for (let steps = 0; steps < MOST_STEPS && ledger.violation === undefined; steps++) {
      if (waiting().length > 0) took = clock.now() - healedAt
      if (await actions.settle()) continue
      if (waiting().length === 0 && !refreshing()) break
      if (!(await clock.next(ran))) break
    }
    // A follower waits for two flights at most, and for no longer than their leases.
    for (const { host, method, key, askedAt } of waiting()) {
      ledger.accuse(`I5: ${method} of ${key} in ${host.name}, asked in step ${askedAt}, has no answer after ${took} ms`)
    }
    if (took > 3 * LEASE) ledger.accuse(`I5: it took ${took} ms until everybody had an answer`)
  }

  /** Behind answers that were given. */
  function refreshing(): boolean {
    return hosts.some((host) => !host.crashed && !host.closed && host.cache.stats().flights > 0)
  }

  function waiting() {
    return callers.waiting.filter(({ host }) => !host.crashed)
  }

  /** Nothing is left behind: neither flights nor timers. */
  async function closeAll(): Promise<void> {
    for (const host of hosts) {
      if (host.crashed) continue
      const { flights } = host.cache.stats()
      if (flights !== 0) ledger.accuse(`${host.name} has ${flights} flights left, and nobody asks`)
      await run(host, `${host.name}: close`, () => void host.cache.close())
    }
    for (let steps = 0; steps < 200 && (await actions.settle()); steps++);
    await advance(2 * BUDGET)
    for (const { name, host, over } of barriers.all) {
      if (!over && !host.crashed) ledger.accuse(`I7: ${name} of ${host.name} neither resolved nor rejected`)
    }
    for (const host of hosts) {
      if (host.crashed || clock.timersOf(host) === 0) continue
      ledger.accuse(`${host.name} is closed, and has ${clock.timersOf(host)} timers left`)
    }
  }

  try {
    for (const host of hosts) {
      await clock.run(host, () => {
        host.cache = create(host)
      })
    }
    if (random.chance(0.6)) await actions.warmUp()
    const last = n + STEPS
    while (n < last && ledger.violation === undefined) await actions.next()
    if (ledger.violation === undefined) await letGo()
    if (ledger.violation === undefined) await closeAll()
  } finally {
    process.off('unhandledRejection', rejected)
  }
  return { seed, violation: ledger.violation, trace, counts }
}
