import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../core/schedule/random.ts'
import { ALL, type Fault, monotonic } from './history.ts'
import type { Disaster } from './servers.ts'

/** Does harm: storms, in which one thing follows upon another, and calms, in which all must come to rest again. */
export interface Nemesis {
  /** One that goes on has no end yet. */
  readonly faults: readonly Fault[]
  /** Rejects where harm could not be done, or not be undone: what happens then proves nothing. */
  readonly broken: Promise<never>
  /** Begins nothing more; resolves when all harm is undone. */
  stop(): Promise<void>
}

export interface NemesisOptions {
  readonly random: Random
  /** By kind. */
  readonly disasters: Readonly<Record<string, Disaster>>
  /** How often each kind is chosen, relative to the others; those that are not named, never. */
  readonly weights: Readonly<Record<string, number>>
  /** How many processes there are. */
  readonly places: number
  /** The name, now, of the process at this place. */
  nameOf(place: number): string
}

/** ms. */
const STORM = 7000
const CALM = 4500
/** ms after a storm, until what it did is not felt any more. */
const SETTLING = 1500
/** ms between two faults of a storm, at most; so many at once. */
const GAP = 700
const AT_ONCE = 2

export function unleash({ random, disasters, weights, places, nameOf }: NemesisOptions): Nemesis {
  const faults: Fault[] = []
  const going = new Set<Promise<void>>()
  const stopped = new AbortController()
  const kinds = Object.keys(disasters).filter((kind) => (weights[kind] ?? 0) > 0)
  let deck: string[] = []
  let fail!: (error: unknown) => void
  const broken = new Promise<never>((_, reject) => {
    fail = reject
  })
  broken.catch(() => undefined) // whoever plays is told

  /** Each kind as often as its weight says, in another order each time: none is left out for long. */
  function draw(): string {
    if (deck.length === 0) {
      deck = kinds.flatMap((kind) => {
        const weight = weights[kind] ?? 0
        return Array.from({ length: Math.floor(weight) + (random.chance(weight % 1) ? 1 : 0) }, () => kind)
      })
    }
    return deck.splice(random.below(deck.length), 1)[0] ?? draw()
  }

  async function strike(kind: string): Promise<void> {
    // Until it is over it may befall anybody.
    const fault = { kind, at: monotonic(), end: Number.POSITIVE_INFINITY, target: ALL }
    faults.push(fault)
    // By name, before it does: a process that was killed has another name afterwards.
    const names = Array.from({ length: places }, (_, place) => nameOf(place))
    const { target, keys } = await (disasters[kind] as Disaster)(random)
    const name = target === ALL ? ALL : names[target]
    Object.assign(fault, { end: monotonic(), target: name, ...(keys === undefined ? {} : { keys }) })
  }

  async function rest(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: stopped.signal }).catch(() => undefined)
  }

  async function go(): Promise<void> {
    if (kinds.length === 0) return
    await rest(1000)
    while (!stopped.signal.aborted) {
      const until = monotonic() + STORM
      while (!stopped.signal.aborted && monotonic() < until) {
        const one: Promise<void> = strike(draw())
          .catch(fail)
          .finally(() => going.delete(one))
        going.add(one)
        if (going.size >= AT_ONCE) await Promise.race(going)
        await rest(random.next() * GAP)
      }
      await Promise.all(going)
      await rest(SETTLING)
      // Alone: in a storm nobody can say why a follower did not take over in time.
      if (!stopped.signal.aborted && kinds.includes('kill') && random.chance(0.7)) await strike('kill').catch(fail)
      await rest(CALM)
    }
  }

  const done = go()

  return {
    faults,
    broken,
    async stop() {
      stopped.abort()
      await done
      await Promise.all(going)
    },
  }
}
