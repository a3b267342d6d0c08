import { EventEmitter, once } from 'node:events'
import type { Session, Store, StoreError } from '../../src/index.ts'

const STEPS = [
  ...(['read', 'readMany', 'claim', 'renew', 'end', 'set', 'take', 'remove'] as const),
  ...(['index', 'step', 'mark', 'members', 'sweep', 'list', 'announce', 'enter', 'leave'] as const),
] as const

/** Every step of a session that may be asked for more than once. */
export type GatedStep = (typeof STEPS)[number]

/** A gate on the way of one step: what comes to it waits until it is opened. */
export interface Gate {
  /** Resolves when the step has come so far. */
  readonly reached: Promise<void>
  open(): void
}

/** A real store with gates on the way to and from it. */
export interface GatedStore extends Store {
  /**
   * Closes a gate before the next such step, of those with arguments that fit; those that are closed already have the steps
   * before it.
   */
  before(step: GatedStep, fits?: (...args: unknown[]) => boolean): Gate
  /** Closes a gate behind the next such step, which the store has done. */
  after(step: GatedStep): Gate
  /** Steps that fail at once, as where there is no connection; `'all'` of them. */
  fails(error: StoreError, step?: GatedStep | 'all'): void
  /** Ends what `fails` began. */
  heals(): void
  /** While true steps are neither done nor answered, ever. */
  silent: boolean
  /** How often the step was asked for. */
  count(step: GatedStep): number
  /** Resolves when the step was asked for so often. */
  asked(step: GatedStep, times: number): Promise<void>
}

export function gatedStore(store: Store): GatedStore {
  const counts = new Map<GatedStep, number>()
  const faults = new Map<GatedStep | 'all', StoreError>()
  const arrivals = new EventEmitter().setMaxListeners(0)
  const closed: {
    readonly place: string
    fits(...args: unknown[]): boolean
    reach(): void
    readonly opened: Promise<void>
  }[] = []
  const count = (step: GatedStep) => counts.get(step) ?? 0

  function gate(place: string, fits: (...args: unknown[]) => boolean = () => true): Gate {
    let open!: () => void
    let reach!: () => void
    const opened = new Promise<void>((resolve) => {
      open = resolve
    })
    const reached = new Promise<void>((resolve) => {
      reach = resolve
    })
    closed.push({ place, fits, reach, opened })
    return { reached, open }
  }

  async function pass(place: string, args: unknown[]): Promise<void> {
    const index = closed.findIndex((other) => other.place === place && other.fits(...args))
    const [next] = index < 0 ? [] : closed.splice(index, 1)
    next?.reach()
    await next?.opened
  }

  function way<A extends unknown[], T>(step: GatedStep, send: (...args: A) => Promise<T>): (...args: A) => Promise<T> {
    return async (...args) => {
      counts.set(step, count(step) + 1)
      arrivals.emit('asked')
      if (gated.silent) return new Promise(() => undefined)
      await pass(`before ${step}`, args)
      const fault = faults.get(step) ?? faults.get('all')
      if (fault !== undefined) throw fault
      const reply = await send(...args)
      await pass(`after ${step}`, args)
      return reply
    }
  }

  const gated: GatedStore = {
    name: store.name,
    silent: false,
    before: (step, fits) => gate(`before ${step}`, fits),
    after: (step) => gate(`after ${step}`),
    fails: (error, step = 'all') => void faults.set(step, error),
    heals: () => faults.clear(),
    count,
    async asked(step, times) {
      while (count(step) < times) await once(arrivals, 'asked')
    },
    open(link) {
      const session = store.open(link)
      const ways = STEPS.map((step) => [step, way(step, session[step] as (...args: unknown[]) => Promise<unknown>)])
      return { ...session, ...(Object.fromEntries(ways) as Pick<Session, GatedStep>) }
    },
  }
  return gated
}
