/** What a middleware of this package is, for whoever looks at a procedure's chain. */
export type Mark =
  /** `public`: what stands behind it is the same for everybody, whoever asks. `internals` are those of its cache. */
  | { readonly type: 'cached'; readonly internals: object; readonly public: boolean }
  /** The same, by the procedure's meta; `undefined` where that says nothing. It throws for bad options in it. */
  | { readonly type: 'byMeta'; readonly internals: object; publicOf(meta: unknown): boolean | undefined }
  | { readonly type: 'invalidates' }

/** By a registered symbol: routers and the check may come from the ESM and from the CommonJS build. */
const MARK = Symbol.for('atomcache.trpc.middleware.1')

export function marked<F extends object>(middleware: F, mark: Mark): F {
  Object.defineProperty(middleware, MARK, { value: mark })
  return middleware
}

export function markOf(middleware: object): Mark | undefined {
  return (middleware as { [MARK]?: Mark })[MARK]
}
