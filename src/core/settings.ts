import { atLeast, known, show, timer } from './checks.ts'
import { type MemoryOptions, type MemorySettings, memorySettings } from './memoryOptions.ts'
import { type MaxNewKeys, type NewKeysSettings, newKeysSettings } from './newKeys.ts'
import { CALL_OPTIONS, type CallOptions, defined, type Policy, resolvePolicy } from './options.ts'
import type { Store } from './store.ts'

export interface CacheOptions extends CallOptions {
  /** Prefix of every key and channel: 1–100 characters, no braces, no white space. Default: `'atomcache'`. */
  namespace?: string | undefined
  /** Default: `memoryStore()`, in this process only. */
  store?: Store | undefined
  /** Deployments whose values have different shapes say different versions, and don't see each other's entries. */
  version?: string | undefined
  /** The kill switch. `false`: nothing is read and every caller runs its loader; writes and invalidations go on. Default: `true`. */
  enabled?: boolean | (() => boolean) | undefined
  /**
   * ms, at least 1: how long a command may take. A store that does not answer delays a request by as much before its
   * loader runs, one that is slow by half as much more at most; one that falls silent while the loader runs delays a value
   * with tags by as much. Default: 250.
   */
  commandTimeout?: number | undefined
  /**
   * After `failures` timeouts or lost connections in a row, of which those of one moment are one, the store is left alone for
   * `retryAfter` ms. Default: 5, 1,000.
   */
  breaker?: { failures?: number | undefined; retryAfter?: number | undefined } | undefined
  /** Larger entries are returned, shared where they fit a message (Redis: 1 MiB), not stored. Default: 8 MiB. */
  maxEntryBytes?: number | undefined
  /**
   * A first tier in this process's memory, kept coherent with all instances: off unless said. See `MemoryOptions`.
   */
  memory?: MemoryOptions | undefined
  /** An integer of at least 1. A value with more tags is returned, neither stored nor shared. Default: 1,000. */
  maxTags?: number | undefined
  /**
   * How many new keys clients of the adapters may make, counted by each instance: off unless said, because only you know how many
   * answers a session or an operation may have. See `MaxNewKeys`.
   */
  maxNewKeys?: MaxNewKeys | undefined
}

/** `CacheOptions` without the store itself, complete and checked. */
export interface Settings {
  readonly namespace: string
  readonly version: string | undefined
  readonly enabled: () => boolean
  readonly commandTimeout: number
  readonly breaker: { readonly failures: number; readonly retryAfter: number }
  readonly maxEntryBytes: number
  readonly maxTags: number
  readonly maxNewKeys: NewKeysSettings | undefined
  readonly memory: MemorySettings | undefined
  readonly policy: Policy
}

const CACHE_OPTIONS: ReadonlySet<string> = new Set([
  'namespace',
  'store',
  'version',
  'enabled',
  'commandTimeout',
  'breaker',
  'maxEntryBytes',
  'maxTags',
  'maxNewKeys',
  'memory',
])

/** @throws TypeError or RangeError that names the option, its bound and what was given */
export function resolveSettings(options: CacheOptions): Settings {
  if (typeof options !== 'object' || options === null) throw new TypeError('createCache takes an object of options')
  known('createCache', options, CACHE_OPTIONS, CALL_OPTIONS)
  const {
    namespace = 'atomcache',
    version,
    enabled = true,
    commandTimeout = 250,
    maxEntryBytes = 8 * 1024 * 1024,
    maxTags = 1000,
  } = options
  if (options.store !== undefined && typeof options.store?.open !== 'function') {
    throw new TypeError(
      `store must be a Store, as memoryStore() and redisStore(…) return it, got ${show(options.store)}`,
    )
  }
  if (typeof namespace !== 'string' || !/^[^\s{}]{1,100}$/.test(namespace) || !namespace.isWellFormed()) {
    throw new RangeError(`namespace must be 1 to 100 characters without braces and white space, got ${show(namespace)}`)
  }
  if (version !== undefined && (typeof version !== 'string' || version === '' || version.length > 100)) {
    throw new RangeError(`version must be a string of 1 to 100 characters, got ${show(version)}`)
  }
  if (typeof enabled !== 'boolean' && typeof enabled !== 'function') {
    throw new TypeError(`enabled must be a boolean or a function that returns one, got ${show(enabled)}`)
  }
  const { breaker = {} } = options
  if (typeof breaker !== 'object' || breaker === null) {
    throw new TypeError(`breaker must be { failures, retryAfter }, got ${show(breaker)}`)
  }
  const { failures = 5, retryAfter = 1000 } = breaker
  if (!Number.isInteger(failures) || failures < 1) {
    throw new RangeError(`breaker.failures must be an integer of at least 1, got ${show(failures)}`)
  }
  known('breaker', breaker, new Set(['failures', 'retryAfter']))
  if (!Number.isInteger(maxTags) || maxTags < 1) {
    throw new RangeError(`maxTags must be an integer of at least 1, got ${show(maxTags)}`)
  }
  return Object.freeze({
    namespace,
    version,
    enabled: typeof enabled === 'function' ? enabled : () => enabled,
    commandTimeout: timer('commandTimeout', commandTimeout),
    breaker: Object.freeze({ failures, retryAfter: timer('breaker.retryAfter', retryAfter) }),
    maxEntryBytes: atLeast('maxEntryBytes', 1, maxEntryBytes, 'bytes'),
    maxTags,
    maxNewKeys: options.maxNewKeys === undefined ? undefined : newKeysSettings(options.maxNewKeys),
    memory: options.memory === undefined ? undefined : memorySettings(options.memory),
    policy: resolvePolicy(defined(options)),
  })
}
