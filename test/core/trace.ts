import { EventEmitter, once } from 'node:events'
import type { Cache, CacheEvent, CacheEventOf, CacheEventType } from '../../src/index.ts'

/** What happened in a cache since the trace was made, in order. */
export interface Trace {
  readonly events: readonly CacheEvent[]
  /** The types, in order. */
  readonly types: readonly CacheEventType[]
  of<T extends CacheEventType>(type: T): CacheEventOf<T>[]
  /** The event of the type that is the `nth`; waits for it. */
  saw<T extends CacheEventType>(type: T, nth?: number): Promise<CacheEventOf<T>>
  /** Forgets what happened so far. */
  clear(): void
}

export function traceOf(cache: Cache): Trace {
  const events: CacheEvent[] = []
  const arrivals = new EventEmitter().setMaxListeners(0)
  cache.on('*', (event) => {
    events.push(event)
    arrivals.emit('event')
  })
  const of = <T extends CacheEventType>(type: T) =>
    events.filter((event): event is CacheEventOf<T> => event.type === type)
  return {
    events,
    get types() {
      return events.map(({ type }) => type)
    },
    of,
    async saw(type, nth = 1) {
      for (;;) {
        const event = of(type)[nth - 1]
        if (event !== undefined) return event
        await once(arrivals, 'event')
      }
    },
    clear() {
      events.length = 0
    },
  }
}
