import { monotonic } from './history.ts'

/** ms: the event loop stood still if a timer came so much later than it should. */
const STALL = 150
const EVERY = 50

/** Tells whenever this process's event loop has stood still, until it is stopped. */
export function watchStalls(tell: (from: number, to: number) => void): () => void {
  let last = monotonic()
  const timer = setInterval(() => {
    const now = monotonic()
    if (now - last > EVERY + STALL) tell(last, now)
    last = now
  }, EVERY)
  return () => clearInterval(timer)
}
