/** What a child process can be asked to do: named functions over values that structured clone can carry. */
export type Calls = Record<string, (...args: never[]) => unknown>

/** What a child process tells by itself: payloads by name. */
export type Events = Record<string, unknown>

/** One request of the parent. */
export interface ToChild {
  id: number
  name: string
  args: unknown[]
}

/** What a child says. */
export type FromChild =
  | { type: 'serving' }
  | { type: 'event'; name: string; payload: unknown }
  | { type: 'value'; id: number; value: unknown }
  | { type: 'error'; id: number; error: unknown }

/**
 * The child's side of `startProcess`: answers the parent's calls from now on, and returns how to tell it events.
 * The process ends when the parent is gone.
 */
export function serve<E extends Events>(calls: Calls): <N extends keyof E & string>(name: N, payload: E[N]) => void {
  process.on('disconnect', () => process.exit())
  process.on('message', async (request) => {
    const { id, name, args } = request as ToChild
    try {
      const call = calls[name] as ((...args: unknown[]) => unknown) | undefined
      if (call === undefined) throw new Error(`No call named ${name}; there are ${Object.keys(calls).join(', ')}.`)
      tell({ type: 'value', id, value: await call(...args) })
    } catch (error) {
      tell({ type: 'error', id, error })
    }
  })
  tell({ type: 'serving' })
  return (name, payload) => tell({ type: 'event', name, payload })
}

function tell(message: FromChild): void {
  if (process.send === undefined) throw new Error('Only a process started by startProcess can serve.')
  process.send(message)
}
