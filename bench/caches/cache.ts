/** How a cache is opened. */
export interface CacheUse {
  /** URL of the server. */
  readonly redis: string
  /** ms. */
  readonly ttl: number
  /** Of a lock or a lease, where there is one: ms. */
  readonly lease: number
  /**
   * Waits for a server that is only slow, as all do that have no limit of their own: on a busy machine runs are counted, and not
   * what is done without a server. Default: `false`.
   */
  readonly patient?: boolean
  /** Keeps values in the process too. Default: `false`. */
  readonly memory?: boolean
  /** Sends the commands of a turn of the event loop together, where the client is ours to choose. Default: `false`. */
  readonly autopipelining?: boolean
}

/** One cache of those that are compared, used as its documentation says, in one process. */
export interface ComparedCache {
  /** What is cached, or else what `load` makes, which is cached then. Values are JSON. */
  get(key: string, load: () => Promise<unknown>): Promise<unknown>
  close(): Promise<void>
}

export type OpenCache = (use: CacheUse) => Promise<ComparedCache>
