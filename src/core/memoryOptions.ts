import { known, show, timer } from './checks.ts'

/** The memory tier: values in this process, in front of the store. */
export interface MemoryOptions {
  /** Bytes of all values as they are stored, and their ids: at least 1. Parsed they take some times as much. Default: 64 MiB. */
  maxBytes?: number | undefined
  /** 1 to 10,000,000; the least recently used go first. Default: 10,000. */
  maxEntries?: number | undefined
  /**
   * ms, at least 1, that a value is kept at most, and never longer than it is fresh: the bound on what is answered after an
   * invalidation that this instance was not told of, where the connection has died in silence. Default: 30,000.
   */
  ttl?: number | undefined
}

/** `MemoryOptions`, complete and checked. */
export interface MemorySettings {
  readonly maxBytes: number
  readonly maxEntries: number
  readonly ttl: number
}

/** Each place takes some 23 bytes from the beginning. */
const MAX_ENTRIES = 10_000_000

/** @throws TypeError or RangeError that names the option, its bound and what was given */
export function memorySettings(options: MemoryOptions): MemorySettings {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`memory must be { maxBytes, maxEntries, ttl }, got ${show(options)}`)
  }
  known('memory', options, new Set(['maxBytes', 'maxEntries', 'ttl']))
  const { maxBytes = 64 * 1024 * 1024, maxEntries = 10_000, ttl = 30_000 } = options
  for (const [name, given] of Object.entries({ maxBytes, maxEntries })) {
    if (!Number.isInteger(given) || given < 1) {
      throw new RangeError(`memory.${name} must be an integer of at least 1, got ${show(given)}`)
    }
  }
  if (maxEntries > MAX_ENTRIES) {
    throw new RangeError(
      `memory.maxEntries must be at most ${MAX_ENTRIES}: their places are made at once, got ${maxEntries}`,
    )
  }
  if (ttl === Number.POSITIVE_INFINITY) {
    throw new RangeError(
      'memory.ttl must be finite (ms): it bounds what is answered after an invalidation that was not heard',
    )
  }
  return Object.freeze({ maxBytes, maxEntries, ttl: timer('memory.ttl', ttl) })
}
