import type { Session, Store } from '../../src/index.ts'

/** The steps of a session that a test can hold up. */
export type Step = 'read' | 'claim' | 'renew' | 'end' | 'set' | 'remove' | 'announce'

/** A step that is held up. */
export interface Hold {
  /** Resolves when the step has come so far. */
  readonly reached: Promise<void>
  /** Lets it go on. */
  release(): void
}

/** A real store on whose way from and to the caches a test can stand. */
export interface HeldStore extends Store {
  /** Holds the next such step before it reaches the store. */
  holdRequest(step: Step): Hold
  /** Holds the reply to the next such step, which the store has done. */
  holdReply(step: Step): Hold
  /** While true the store is silent: steps are neither done nor answered, ever. */
  silent: boolean
  /** How often each step was asked for. */
  readonly counts: Readonly<Record<Step, number>>
}

export function heldStore(store: Store): HeldStore {
  const holds: {
    readonly step: Step
    readonly at: 'request' | 'reply'
    reach(): void
    readonly gone: Promise<void>
  }[] = []
  const counts: Record<Step, number> = { read: 0, claim: 0, renew: 0, end: 0, set: 0, remove: 0, announce: 0 }
  const held: HeldStore = {
    name: store.name,
    silent: false,
    counts,
    holdRequest: (step) => hold(step, 'request'),
    holdReply: (step) => hold(step, 'reply'),
    open(link) {
      const session = store.open(link)
      const way = <A extends unknown[], T>(step: Step, send: (...args: A) => Promise<T>) => {
        return async (...args: A): Promise<T> => {
          counts[step]++
          if (held.silent) return new Promise(() => undefined)
          await pass(step, 'request')
          const reply = await send(...args)
          await pass(step, 'reply')
          return reply
        }
      }
      return {
        ...session,
        read: way('read', session.read),
        claim: way('claim', session.claim),
        renew: way('renew', session.renew),
        end: way('end', session.end),
        set: way('set', session.set),
        remove: way('remove', session.remove),
        announce: way('announce', session.announce),
      } satisfies Session
    },
  }

  function hold(step: Step, at: 'request' | 'reply'): Hold {
    let release!: () => void
    let reach!: () => void
    const gone = new Promise<void>((resolve) => {
      release = resolve
    })
    const reached = new Promise<void>((resolve) => {
      reach = resolve
    })
    holds.push({ step, at, reach, gone })
    return { reached, release }
  }

  async function pass(step: Step, at: 'request' | 'reply'): Promise<void> {
    const index = holds.findIndex((other) => other.step === step && other.at === at)
    const [next] = index < 0 ? [] : holds.splice(index, 1)
    next?.reach()
    await next?.gone
  }

  return held
}
