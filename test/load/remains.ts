/** What there is in this process, to be compared with what was there before. */
import { createHook } from 'node:async_hooks'
import type { EventEmitter } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export interface Remains {
  /** Bytes in use on the heap after a collection. */
  readonly heap: number
  /** Bytes outside of it, such as those of buffers. */
  readonly external: number
  /** Timers that were set and have neither fired nor been cleared, also those that keep no process alive. */
  readonly timers: number
  /** What else keeps the process alive, by its kind. */
  readonly handles: Readonly<Record<string, number>>
  /** Of the process, and of emitters that last longer than any call. */
  readonly listeners: number
}

/** Timers by the ids of their async resources. */
const timers = new Set<number>()
createHook({
  init(id, type) {
    if (type === 'Timeout') timers.add(id)
  },
  destroy(id) {
    timers.delete(id)
  },
}).enable()

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** @param lasting emitters that last longer than any call */
export async function remainsOf(lasting: readonly EventEmitter[]): Promise<Remains> {
  let heap = Number.POSITIVE_INFINITY
  let external = Number.POSITIVE_INFINITY
  // What has finalizers is only gone after the next one.
  for (let i = 0; i < 4; i++) {
    collect()
    await delay(10)
    const used = process.memoryUsage()
    heap = Math.min(heap, used.heapUsed)
    external = Math.min(external, used.external)
  }
  const handles: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) {
    if (kind !== 'Timeout') handles[kind] = (handles[kind] ?? 0) + 1
  }
  const listeners = [process, ...lasting].reduce((sum, one) => sum + listenersOf(one), 0)
  return { heap, external, timers: timers.size, handles, listeners }
}

function listenersOf(emitter: EventEmitter): number {
  return emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0)
}
