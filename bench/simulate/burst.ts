import type { Network } from './network.ts'

/** Many instances that want the same keys, which nobody has, at nearly the same time. */
export interface Burst {
  readonly masters: number
  readonly instances: number
  readonly keys: number
  /** Bytes of each value. */
  readonly valueBytes: number
  /** ms that loaders take. */
  readonly loader: number
  /** ms within which the instances ask, each at a time by chance. */
  readonly spread: number
  /** Default: `'atomcache'`. */
  readonly namespace?: string
  /** Default: `key 1`, `key 2`, … */
  readonly names?: readonly string[]
  readonly seed?: number
}

export interface Outcome {
  readonly commands: number
  readonly byKind: Readonly<Record<string, number>>
  /** Of loaders. */
  readonly runs: number
  /** Bytes from clients to servers and back. */
  readonly bytesIn: number
  readonly bytesOut: number
  readonly busMessages: number
  /** Bytes between nodes. */
  readonly busBytes: number
  /** ms that the busiest processor of a master, and the busiest network card, worked. */
  readonly busy: number
  readonly card: number
  /** ms that the processors of all masters worked. */
  readonly busyInAll: number
  /**
   * ms to the answer of each instance but the one whose value it is: from the end of that one's loader, or from when it asked
   * where it did so later.
   */
  readonly latencies: Float64Array
}

export function outcomeOf(network: Network, runs: number, latencies: readonly number[]): Outcome {
  const { masters, commands, busMessages } = network
  const sum = (of: (master: (typeof masters)[number]) => number) =>
    masters.reduce((total, master) => total + of(master), 0)
  const most = (of: (master: (typeof masters)[number]) => number) => Math.max(...masters.map(of))
  return {
    commands: Object.values(commands).reduce((total, count) => total + count, 0),
    byKind: commands,
    runs,
    bytesIn: sum((master) => master.in),
    bytesOut: sum((master) => master.out),
    busMessages,
    busBytes: sum((master) => master.busOut),
    busy: most(({ processor }) => processor.busy),
    card: most(({ cardIn, cardOut }) => Math.max(cardIn.busy, cardOut.busy)),
    busyInAll: sum(({ processor }) => processor.busy),
    latencies: Float64Array.from(latencies).sort(),
  }
}

/** NaN of nothing. */
export function quantile(sorted: Float64Array, part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

export function namesOfKeys({ keys, names }: Burst): readonly string[] {
  return names ?? Array.from({ length: keys }, (_, i) => `key ${i + 1}`)
}
