import type { CallOptions } from '../../../src/index.ts'
import type { Value } from './origin.ts'
import type { Random } from './random.ts'

/** How the values of one key get their tags. */
export interface Tagging {
  /** Of the value that is made now. */
  next(): readonly string[]
  /** As the cache is told: before there is a value, or by it. */
  option(value?: Value): CallOptions<Value>['tags']
}

export const TAGS: readonly string[] = ['x', 'y', 'z']

export function isTag(item: string): boolean {
  return TAGS.includes(item)
}

/** The tags of a value: items that it is made of, besides its key. */
export function tagsIn(value: Value): string[] {
  return Object.keys(value.parts).filter(isTag)
}

/** Ways of tagging: none; the same tags for all values, said as such or by a function; others from value to value. */
export function createTagging(random: Random, tagged: boolean): Tagging {
  const some = () => TAGS.slice(0, 2).filter(() => random.chance(0.6))
  const fixed = random.pick([['x'], ['x', 'y'], ['z', 'x']])
  switch (tagged ? random.below(3) : undefined) {
    case 0:
      return { next: () => fixed, option: () => fixed }
    case 1:
      return { next: () => fixed, option: () => tagsIn }
    case 2:
      // An array can only be said where the value is known: by who publishes or sets it.
      return { next: some, option: (value) => (value !== undefined && random.chance(0.5) ? tagsIn(value) : tagsIn) }
    default:
      return { next: () => [], option: () => undefined }
  }
}
