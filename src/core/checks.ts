/** Functions among the options answer at once: a promise would count as true, and its failure as nobody's. */
export function notAsync<T>(option: string, answer: T): T {
  const { then } = Object(answer) as Partial<PromiseLike<unknown>>
  if (typeof then !== 'function') return answer
  then.call(answer, undefined, () => undefined)
  throw new TypeError(`${option} returned a promise: it must answer at once`)
}

/** Timers of Node.js that are longer, in ms, fire at once. */
export const MAX_TIMER = 2 ** 31 - 1

/** A misspelt option would be ignored in silence, and the default would count. */
export function known(where: string, options: object, ...sets: readonly ReadonlySet<string>[]): void {
  for (const name of Object.keys(options)) {
    if (!sets.some((set) => set.has(name))) {
      throw new TypeError(`${where} has no option ${show(name)}; it has ${sets.flatMap((set) => [...set]).join(', ')}`)
    }
  }
}

/** @throws RangeError for what is not finite, or less */
export function atLeast(name: string, least: number, given: number, unit: string): number {
  if (given === Number.POSITIVE_INFINITY) throw new RangeError(`${name} must be finite (${unit}), got Infinity`)
  if (!(typeof given === 'number' && given >= least)) {
    throw new RangeError(`${name} must be at least ${least} (${unit}), got ${show(given)}`)
  }
  return given
}

/** A duration of a timer: ms, or `Infinity`. @throws RangeError for what is out of bounds */
export function timer(name: string, given: number): number {
  if (given > MAX_TIMER && given !== Number.POSITIVE_INFINITY) {
    throw new RangeError(`${name} must be at most ${MAX_TIMER} (ms), got ${given}`)
  }
  return atLeast(name, 1, given, 'ms')
}

/** What was given, for a message: strings in quotes. */
export function show(given: unknown): string {
  if (typeof given === 'string') return JSON.stringify(given.length > 40 ? `${given.slice(0, 40)}…` : given)
  if (typeof given === 'object' && given !== null) return Array.isArray(given) ? 'an array' : 'an object'
  return typeof given === 'function' ? 'a function' : String(given)
}
