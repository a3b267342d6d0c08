import { type KeyPlan, keyOf, LEASE, LONG_FLIGHT, LONG_LEASE, stale, type Ttls } from './keyPlan.ts'

/** What is played in a run: who asks for what, how often, and what goes wrong. Plain data: the processes get it as it is. */
export interface Profile {
  readonly processes: number
  /** In each process so many go on at a time, each with one thing after another. */
  readonly lanes: number
  /** ms that a lane rests between two things, at most. */
  readonly rest: number
  readonly keys: readonly KeyPlan[]
  /** How often each thing is done, relative to the others. */
  readonly moves: Readonly<Record<Move, number>>
  /** How long loaders take: `[weight, least, most]`, ms. */
  readonly loads: readonly (readonly [weight: number, least: number, most: number])[]
  /** How often a loader fails, says that it is not to be shared, and hangs. */
  readonly failing: number
  readonly hanging: number
  readonly ttls: Ttls
  readonly forced: number
  /** How often a caller leaves before it has its answer, or waits for a short time only. */
  readonly leaving: number
  readonly impatient: number
  /** How often, after an invalidation, what it covers is asked for at once. */
  readonly following: number
  /** ms by which what a process sends and gets is late, by its place among the processes, over and over. */
  readonly latencies: readonly number[]
  /** Which faults there are, and how often each; none: nothing goes wrong. */
  readonly faults: Readonly<Record<string, number>>
  readonly commandTimeout: number
  /** ms that the memory tier of a process keeps a value, by its place, over and over; `null`: it has none. */
  readonly memories: readonly (number | null)[]
}

export type Move =
  | 'ask'
  | 'askMany'
  | 'askTogether'
  | 'get'
  | 'getMany'
  | 'has'
  | 'entry'
  | 'set'
  | 'setMany'
  | 'delete'
  | 'invalidateKeys'
  | 'invalidateTags'
  | 'invalidateBoth'
  | 'clear'
  | 'claim'

/** Short lives, and long windows after them, in each combination that there is a rule for. */
const STALE: readonly KeyPlan[] = [
  stale('s0', 'none', [], { staleWhileRevalidate: 800 }, { lease: LONG_LEASE, maxFlight: LONG_FLIGHT, limited: true }),
  stale(
    's1',
    'said',
    ['t0'],
    { staleWhileRevalidate: 500, staleIfError: 5000, softTimeout: 60 },
    { failing: 0.3, hanging: 0.05 },
  ),
  stale(
    's2',
    'derived',
    ['t1', 't2'],
    { staleIfError: 3000 },
    { failing: 0.3, lease: LONG_LEASE, maxFlight: LONG_FLIGHT },
  ),
  stale('s3', 'none', [], { staleWhileRevalidate: 400, earlyRefresh: { beta: 2 }, jitter: 0.3 }),
  stale('s4', 'changing', ['t2', 't3'], { negativeTtl: 150, errorTtl: 200, jitter: 0.2 }, { failing: 0.2 }),
  stale(
    's5',
    'none',
    [],
    { errorTtl: 400, staleIfError: 1000 },
    { failing: 0.4, lease: LONG_LEASE, maxFlight: LONG_FLIGHT },
  ),
  stale('s6', 'said', ['t3'], { staleWhileRevalidate: 600 }, { kept: true, ttls: [[1, 600]] }),
  stale('s7', 'none', [], { staleIfError: 4000 }, { kept: true, failing: 0.2, ttls: [[1, 400]] }),
]

/** All there is, and all that can go wrong. */
export const EVERYTHING: Profile = {
  processes: 6,
  lanes: 24,
  rest: 24,
  keys: [
    keyOf('k0', 'none'),
    keyOf('k1', 'none', [], LONG_LEASE),
    keyOf('k2', 'said', ['t0']),
    { ...keyOf('k3', 'said', ['t0', 't1']), limited: true },
    keyOf('k4', 'derived', ['t1']),
    { ...keyOf('k5', 'derived', ['t1', 't2'], LONG_LEASE), limited: true },
    keyOf('k6', 'changing', ['t0', 't2', 't3']),
    { ...keyOf('k7', 'mixed', ['t2', 't3'], LONG_LEASE), limited: true },
    keyOf('k8', 'mixed', ['t3', 't4']),
    ...['alice', 'bob', null].map((scope) => keyOf(['mine', scope], 'derived', ['t4'], LEASE, scope)),
    ...['alice', 'bob'].map((scope) => keyOf(['own', { of: scope }], 'none', [], LEASE, scope)),
    keyOf('{k}9%', 'changing', ['t1', '{t}5%']),
    ...STALE,
  ],
  moves: {
    ask: 60,
    askTogether: 4,
    askMany: 4,
    get: 10,
    getMany: 8,
    has: 2,
    entry: 3,
    set: 1.2,
    setMany: 0.3,
    delete: 1,
    invalidateKeys: 1.2,
    invalidateTags: 2.5,
    invalidateBoth: 0.3,
    clear: 0.02,
    claim: 3,
  },
  loads: [
    [4, 0, 5],
    [4, 5, 60],
    [2, 60, 500],
  ],
  failing: 0.06,
  hanging: 0.005,
  ttls: [
    [5, null],
    [5, 60_000],
    [2, 1500],
    [2, 120],
    [1, 0],
  ],
  forced: 0.06,
  leaving: 0.05,
  impatient: 0.04,
  following: 0.7,
  latencies: [0, 12, 2, 25, 0, 6],
  faults: {
    kill: 2,
    pause: 3,
    killClients: 2,
    killSubscribers: 2,
    pauseRedis: 2,
    restartRedis: 1.5,
    flush: 1,
    forgetScripts: 1,
    cut: 2,
    blackhole: 2,
    delay: 2,
    evict: 3,
    handOver: 1.5,
    failOver: 1,
    standStill: 1,
    pauseSentinel: 1,
    moveSlot: 2,
  },
  commandTimeout: 150,
  memories: [700, null, 2500, 700, null, 6000],
}

/** ms that the impatient wait. */
export const SHORT_WAIT = 80

/** ms after which the first of all callers takes something stale rather than wait; `undefined`: nobody does. */
export function hurryOf({ keys, impatient }: Profile): number | undefined {
  const limits = keys.flatMap(({ freshness }) => freshness.softTimeout ?? [])
  if (impatient > 0) limits.push(SHORT_WAIT)
  return limits.length === 0 ? undefined : Math.min(...limits)
}
