import { keyOf, LONG_FLIGHT, LONG_LEASE, stale } from './keyPlan.ts'
import { EVERYTHING, type Profile } from './profile.ts'

/** What is played to find a flaw: little goes wrong, but what it needs happens often. */

/** Nothing goes wrong, but the lines differ: what takes several trips is overtaken on the way. */
const PEACE: Pick<Profile, 'processes' | 'lanes' | 'latencies' | 'faults' | 'hanging' | 'failing' | 'memories'> = {
  processes: 4,
  lanes: 16,
  latencies: [0, 25, 2, 12],
  faults: {},
  hanging: 0,
  failing: 0.02,
  memories: [null],
}

const FEW_MOVES: Profile['moves'] = {
  ask: 60,
  askTogether: 2,
  askMany: 0,
  get: 4,
  getMany: 6,
  has: 0,
  entry: 0,
  set: 0,
  setMany: 0,
  delete: 0,
  invalidateKeys: 0,
  invalidateTags: 0,
  invalidateBoth: 0,
  clear: 0,
  claim: 1,
}

/** Much is invalidated by key, and long leases hide no wait. */
export const INVALIDATED_KEYS: Profile = {
  ...EVERYTHING,
  ...PEACE,
  keys: ['k0', 'k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7'].map((key) => keyOf(key, 'none', [], LONG_LEASE)),
  moves: { ...FEW_MOVES, invalidateKeys: 6 },
  loads: [
    [2, 0, 5],
    [2, 5, 60],
  ],
  ttls: [[1, null]],
}

/** Much is invalidated by tag. */
export const INVALIDATED_TAGS: Profile = {
  ...EVERYTHING,
  ...PEACE,
  keys: EVERYTHING.keys.filter((key) => key.tags.length > 0),
  moves: { ...FEW_MOVES, invalidateTags: 6 },
  loads: [
    [3, 0, 5],
    [2, 5, 60],
  ],
  ttls: [[1, null]],
}

const NAMES = ['k0', 'k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7']
const LONG = { lease: LONG_LEASE, maxFlight: LONG_FLIGHT }

/** Everybody has a memory tier, and hears of what is invalidated. */
export const REMEMBERED: Profile = { ...INVALIDATED_KEYS, memories: [60_000] }

/** The same, where now and then who listens is cut off. */
export const UNHEARD: Profile = { ...REMEMBERED, faults: { killSubscribers: 1, cut: 1 } }

/** Many keys, each asked for now and then; of those that are stale for long none fails, and nobody hurries. */
export const AGING: Profile = {
  ...EVERYTHING,
  ...PEACE,
  keys: Array.from({ length: 120 }, (_, i) => {
    return stale(
      `k${i}`,
      'none',
      [],
      { staleWhileRevalidate: 200, staleIfError: 60_000 },
      { ...LONG, ttls: [[1, 300]] },
    )
  }),
  lanes: 8,
  rest: 120,
  moves: FEW_MOVES,
  loads: [[1, 0, 5]],
  failing: 0,
  impatient: 0,
}

/** Much is stale, and much of what should refresh it fails. Now and then it is invalidated, which forgets what has failed. */
export const FAILING: Profile = {
  ...INVALIDATED_KEYS,
  moves: { ...FEW_MOVES, invalidateKeys: 1 },
  keys: NAMES.map((key) => stale(key, 'none', [], { staleIfError: 60_000 }, { ...LONG, ttls: [[1, 150]] })),
  failing: 0.5,
}

/** Much is stale, and refreshed by loaders that take their time; and invalidated. */
export const REFRESHED: Profile = {
  ...INVALIDATED_KEYS,
  moves: { ...FEW_MOVES, invalidateKeys: 2 },
  keys: NAMES.map((key) => stale(key, 'none', [], { staleWhileRevalidate: 60_000 }, { ...LONG, ttls: [[1, 150]] })),
  loads: [[1, 20, 200]],
}

/** The same, and nothing is invalidated; so few ask that no process is ever late, which would explain a second refresh. */
export const REVALIDATED: Profile = {
  ...REFRESHED,
  moves: { ...FEW_MOVES, invalidateKeys: 0 },
  forced: 0,
  lanes: 6,
  rest: 120,
}

/** Masters are replaced while they are well, and much is invalidated. */
export const REPLACED: Profile = { ...INVALIDATED_KEYS, faults: { handOver: 1 } }
