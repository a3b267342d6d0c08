/** One listener per signal, however many wait on it: Node.js warns of a leak at the eleventh. */
const watched = new WeakMap<AbortSignal, Set<() => void>>()

/** Calls `aborted` once when the signal fires; returns what takes that back. */
export function onAbort(signal: AbortSignal, aborted: () => void): () => void {
  const waiting = watched.get(signal) ?? watch(signal)
  // Wrapped, so that one function may be given twice.
  const own = () => aborted()
  waiting.add(own)
  return () => waiting.delete(own)
}

function watch(signal: AbortSignal): Set<() => void> {
  const waiting = new Set<() => void>()
  watched.set(signal, waiting)
  const fire = () => {
    for (const aborted of [...waiting]) aborted()
    waiting.clear()
  }
  signal.addEventListener('abort', fire, { once: true })
  return waiting
}
