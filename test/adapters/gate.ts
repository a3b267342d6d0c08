import { EventEmitter, once } from 'node:events'

/** Holds resolvers and procedures back for as long as a test wants them to run. */
export interface Gate {
  /** Waits while it is shut. */
  pass(): Promise<void>
  shut(): void
  open(): void
  /** Resolves when so many are held back. */
  holds(count: number): Promise<void>
}

export function createGate(): Gate {
  const changes = new EventEmitter().setMaxListeners(0)
  let shut = false
  let held = 0
  return {
    async pass() {
      if (!shut) return
      held++
      const opened = once(changes, 'open')
      changes.emit('held')
      await opened
    },
    shut() {
      shut = true
    },
    open() {
      shut = false
      held = 0
      changes.emit('open')
    },
    async holds(count) {
      while (held < count) await once(changes, 'held')
    },
  }
}
