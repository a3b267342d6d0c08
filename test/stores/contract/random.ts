/** An integer from 0 to below `bound`. */
export type Random = (bound: number) => number

/** Mulberry32: the same numbers for the same seed, so that a failure can be tried again. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound)
  }
}

/** Lets others go first: none, some microtasks, or some turns of the event loop. */
export async function someTurns(random: Random): Promise<void> {
  const count = random(4)
  const far = random(2) === 0
  if (far) return turns(count)
  for (let i = 0; i < count; i++) await undefined
}

/** Waits for so many turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setImmediate(resolve))
}
