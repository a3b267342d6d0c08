import { EventEmitter, once } from 'node:events'
import type { CacheEvent } from '../../src/core/events.ts'
import type { Cache, CacheEventOf, CacheEventType } from '../../src/index.ts'

/** What happened in some caches since the trace was made, in order. */
export interface Trace {
  readonly events: readonly CacheEvent[]
  of<T extends CacheEventType>(type: T): CacheEventOf<T>[]
  /** Resolves when the type has happened so often, in all the caches together. */
  saw(type: CacheEventType, count?: number): Promise<void>
}

export function traceOf(...caches: readonly Cache[]): Trace {
  const events: CacheEvent[] = []
  const arrivals = new EventEmitter().setMaxListeners(0)
  for (const cache of caches) {
    cache.on('*', (event) => {
      events.push(event)
      arrivals.emit('event')
    })
  }
  const of = <T extends CacheEventType>(type: T) =>
    events.filter((event): event is CacheEventOf<T> => event.type === type)
  return {
    events,
    of,
    async saw(type, count = 1) {
      while (of(type).length < count) await once(arrivals, 'event')
    },
  }
}
