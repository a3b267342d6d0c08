/** `p50 / p99 / max` in ms; how many there were is for whoever asks. */
export function spreadOf(times: readonly number[]): string {
  if (times.length === 0) return '–'
  return [quantile(times, 0.5), quantile(times, 0.99), Math.max(...times)].map(short).join(' / ')
}

/** The least of them that so large a part does not exceed. */
export function quantile(times: readonly number[], part: number): number {
  const sorted = times.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN
}

function short(ms: number): string {
  return ms.toFixed(ms < 10 ? 1 : 0)
}
