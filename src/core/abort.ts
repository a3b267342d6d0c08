/** One listener per signal, however many wait on it: Node.js warns of a leak at the eleventh. */
const watched = new WeakMap<AbortSignal, Watch>()

interface Watch {
  readonly waiting: Set<() => void>
  end(): void
}

/** Calls `aborted` once when the signal fires; returns what takes that back. */
export function onAbort(signal: AbortSignal, aborted: () => void): () => void {
  const { waiting, end } = watched.get(signal) ?? watch(signal)
  // Wrapped, so that one function may be given twice.
  const own = () => aborted()
  waiting.add(own)
  return () => {
    if (waiting.delete(own) && waiting.size === 0) end()
  }
}

/**
 * For as long as somebody waits: a signal of `AbortSignal.any` or `timeout` that is listened to is kept by Node.js until it fires,
 * and tRPC gives each call one of the first kind, which never does.
 */
function watch(signal: AbortSignal): Watch {
  const waiting = new Set<() => void>()
  const fire = () => {
    const all = [...waiting]
    waiting.clear()
    watched.delete(signal)
    for (const aborted of all) aborted()
  }
  const one: Watch = {
    waiting,
    end() {
      signal.removeEventListener('abort', fire)
      watched.delete(signal)
    },
  }
  watched.set(signal, one)
  signal.addEventListener('abort', fire, { once: true })
  return one
}
