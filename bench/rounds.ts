/**
 * Measures all contestants in turn, so many rounds, in an order of its own each: what else the machine does, and what the one
 * before has left behind, meets them alike. The samples of each, in the order of the rounds.
 */
export async function inTurn<C, T>(
  contestants: readonly C[],
  rounds: number,
  measure: (contestant: C, round: number) => Promise<T>,
): Promise<Map<C, T[]>> {
  const samples = new Map<C, T[]>(contestants.map((contestant) => [contestant, []]))
  for (let round = 0; round < rounds; round++) {
    for (const contestant of shuffled(contestants)) {
      samples.get(contestant)?.push(await measure(contestant, round))
    }
  }
  return samples
}

function shuffled<C>(all: readonly C[]): C[] {
  return all
    .map((one) => ({ one, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one)
}

/** NaN of nothing. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The quarter of the samples that lies below, and that above: how far a median can be trusted. */
export function quartiles(values: readonly number[]): readonly [lower: number, upper: number] {
  return [quantile(values, 0.25), quantile(values, 0.75)]
}

/** Between two samples as far as it lies between them. */
function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * part
  const [below, above] = [sorted[Math.floor(at)] ?? Number.NaN, sorted[Math.ceil(at)] ?? Number.NaN]
  return below + (above - below) * (at - Math.floor(at))
}
