import { type Key, keyId } from '../../src/core/key.ts'
import type { CallOptions } from '../../src/index.ts'

/** Of the options for freshness what is plain data. */
export type FreshnessPlan = Readonly<
  Pick<
    CallOptions,
    'staleWhileRevalidate' | 'staleIfError' | 'softTimeout' | 'jitter' | 'earlyRefresh' | 'negativeTtl'
  > & { errorTtl?: number }
>

export interface KeyPlan {
  readonly key: Key
  readonly id: string
  readonly scope: string | null
  /** How callers say the tags: not at all; as an array; as a function of the value; so that they differ; each its way. */
  readonly tagging: 'none' | 'said' | 'derived' | 'changing' | 'mixed'
  readonly tags: readonly string[]
  /** ms. */
  readonly lease: number
  readonly maxFlight: number
  readonly freshness: FreshnessPlan
  /** Default: as all others, as for what follows. */
  readonly ttls?: Ttls
  readonly failing?: number
  readonly hanging?: number
  /** Every process keeps it fresh. */
  readonly kept?: true
  /** Its loaders wait for a place in the one group that there is. */
  readonly limited?: true
}

/** The group, which is smaller than the keys of it are many. */
export const LIMIT = { group: 'limited', leaders: 2 }

/** How long entries live: `[weight, ms]`; `null`: for ever, 0: shared and not stored. */
export type Ttls = readonly (readonly [weight: number, ttl: number | null])[]

/** ms: short, so that leases run out while somebody looks. */
export const LEASE = 400
const MAX_FLIGHT = 1500
/** ms: one that runs out only where nobody renews it, or nobody is told. */
export const LONG_LEASE = 3000
/** More than a loader that hangs takes. */
export const LONG_FLIGHT = 10_000

/** One whose values are of use as long as they are fresh. */
export function keyOf(
  key: Key,
  tagging: KeyPlan['tagging'],
  tags: readonly string[] = [],
  lease = LEASE,
  scope: string | null = null,
): KeyPlan {
  const maxFlight = lease === LONG_LEASE ? LONG_FLIGHT : MAX_FLIGHT
  return { key, id: keyId(key), scope, tagging, tags, lease, maxFlight, freshness: {} }
}

/** One of short lives, with what follows them. */
export function stale(
  key: Key,
  tagging: KeyPlan['tagging'],
  tags: readonly string[],
  freshness: FreshnessPlan,
  more: Partial<KeyPlan> = {},
): KeyPlan {
  const ttls: Ttls = [
    [2, 300],
    [1, 1500],
  ]
  return { ...keyOf(key, tagging, tags), freshness, ttls, ...more }
}
