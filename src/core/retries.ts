import type { UnconfirmedError } from './errors.ts'
import { clear, type Invalidation, invalidate } from './invalidation.ts'
import type { Writer } from './writes.ts'

/**
 * Invalidations behind mutations. The mutation is committed, whatever becomes of them: what the store does not confirm is
 * tried again until it does, or the cache is closed.
 */
export interface Retries {
  /**
   * Resolves when the invalidation holds; or, where it was not confirmed in its budget, with that error, and it is tried
   * again from then on. Never rejects.
   */
  invalidate(what: Invalidation): Promise<UnconfirmedError | undefined>
  /** How many keys and tags wait to be tried again, or are being tried. */
  readonly pending: number
}

/** ms between two attempts: at first, doubled each time, and at most; a quarter more or less by chance. */
const FIRST_RETRY = 100
const LAST_RETRY = 10_000
/** More names than these are not remembered: the namespace is cleared instead. */
const MAX_PENDING = 100_000

export function createRetries(writer: Writer): Retries {
  const { instance } = writer
  let pending = nothing()
  let delay = FIRST_RETRY
  let timer: NodeJS.Timeout | undefined
  /** What is tried right now: it is not confirmed yet. */
  let trying: Pending | undefined

  function failed(what: Pending, error: UnconfirmedError): void {
    for (const id of what.ids) pending.ids.add(id)
    for (const tag of what.tags) pending.tags.add(tag)
    if (what.all || pending.ids.size + pending.tags.size > MAX_PENDING) pending = { ...nothing(), all: true }
    const retried = !instance.closed
    instance.events.emit({ type: 'unconfirmed', keys: [...what.ids], tags: [...what.tags], retried, error })
    schedule()
  }

  /** One timer for all that is pending. */
  function schedule(): void {
    if (timer !== undefined || trying !== undefined || instance.closed || sizeOf(pending) === 0) return
    timer = setTimeout(() => void retry(), delay * (0.75 + Math.random() / 2))
    delay = Math.min(2 * delay, LAST_RETRY)
  }

  async function retry(): Promise<void> {
    // What fails anew while this is under way is of a later mutation: it is not confirmed by this.
    const what = pending
    pending = nothing()
    timer = undefined
    trying = what
    const { all, ids, tags } = what
    const error = await errorOf(all ? clear(writer) : invalidate(writer, { ids: [...ids], tags: [...tags] }))
    trying = undefined
    if (error === undefined) delay = FIRST_RETRY
    else failed({ all, ids: new Set(error.keys), tags: new Set(error.tags) }, error)
    schedule()
  }

  instance.onClose(() => clearTimeout(timer))

  return {
    async invalidate(what) {
      const error = await errorOf(invalidate(writer, what))
      if (error !== undefined) failed({ all: false, ids: new Set(error.keys), tags: new Set(error.tags) }, error)
      return error
    },
    get pending() {
      return sizeOf(pending) + (trying === undefined ? 0 : sizeOf(trying))
    },
  }
}

interface Pending {
  /** There were too many names: the whole namespace. */
  readonly all: boolean
  readonly ids: Set<string>
  readonly tags: Set<string>
}

function nothing(): Pending {
  return { all: false, ids: new Set(), tags: new Set() }
}

function sizeOf({ all, ids, tags }: Pending): number {
  return (all ? 1 : 0) + ids.size + tags.size
}

function errorOf(attempt: Promise<void>): Promise<UnconfirmedError | undefined> {
  return attempt.then(
    () => undefined,
    (error: UnconfirmedError) => error,
  )
}
