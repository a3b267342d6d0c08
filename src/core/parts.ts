import { StoreError } from './errors.ts'

/** The list in order, in lists of at most `size`; none for an empty one. */
export function inParts<T>(list: readonly T[], size: number): readonly (readonly T[])[] {
  if (list.length <= size) return list.length === 0 ? [] : [list]
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size))
}

/**
 * Does it for each of the list, `atOnce` of them at a time, so that others' commands come between. From the first silence of
 * the store on, all that are left at once: they keep nobody waiting then, and each would be waited for.
 *
 * @param failed told of each fault; where it throws, that is thrown and the rest not done
 */
export async function paced<T>(
  list: readonly T[],
  atOnce: number,
  each: (one: T) => Promise<void>,
  failed: (one: T, error: unknown) => void,
): Promise<void> {
  let silent = false
  const run = async (one: T) => {
    try {
      await each(one)
    } catch (error) {
      silent ||= error instanceof StoreError && (error.code === 'TIMEOUT' || error.code === 'UNREACHABLE')
      failed(one, error)
    }
  }
  for (let at = 0; at < list.length; ) {
    const part = silent ? list.slice(at) : list.slice(at, at + atOnce)
    await Promise.all(part.map(run))
    at += part.length
  }
}
