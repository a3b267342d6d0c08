import type { Parameters } from './parameters.ts'
import { sizesOf } from './sizes.ts'

/** What instances cost that do nothing: sums, nothing to simulate. */

/** s between what an instance sends by itself: see src/stores/redis/probe.ts, store.ts, watch.ts and cluster.ts. */
const PROBE_EVERY = 3
const CLOCK_EVERY = 30
const LOOK_EVERY = 30
const SLOTS_EVERY = 5
/** Connections that a server takes where nobody says anything else. */
export const MAX_CLIENTS = 10_000

export interface Rest {
  /** Each second, of all. */
  readonly commands: number
  /** Each second, between nodes. */
  readonly busMessages: number
  readonly busBytes: number
  /** The part of its time that a master is busy. */
  readonly busy: number
  /** Of each master. */
  readonly connections: number
}

export function restOf(parameters: Parameters, masters: number, instances: number): Rest {
  const { channel } = sizesOf('atomcache', masters > 1, 0)
  const { probe, info, time, slots, busSend, busReceive, busHeader } = parameters
  const probes = instances / PROBE_EVERY
  const times = instances / CLOCK_EVERY
  const looks = (instances * masters) / LOOK_EVERY
  const others = masters - 1
  // With each look at the servers a client looks who they are.
  const slotLooks = others === 0 ? 0 : instances / SLOTS_EVERY + instances / LOOK_EVERY
  const onBus = busHeader + channel + 1
  const bus = probes * others * (busSend.each + busReceive.each + (busSend.byte + busReceive.byte) * onBus)
  const busy = probes * probe + times * time + looks * info + slotLooks * slots * masters + bus
  return {
    commands: probes + times + looks + slotLooks,
    busMessages: probes * others,
    busBytes: probes * others * onBus,
    busy: busy / masters / 1e6,
    connections: others === 0 ? 2 * instances : instances + instances / masters,
  }
}
