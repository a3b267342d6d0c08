import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../core/schedule/random.ts'
import { ALL, type Fault, monotonic } from './history.ts'
import type { Disaster } from './servers.ts'

/** Does harm: storms, in which one thing follows upon another, and calms, in which all must come to rest again. */
export interface Nemesis {
  readonly faults: readonly Fault[]
  /** Begins nothing more; resolves when all harm is undone. */
  stop(): Promise<void>
}

export interface NemesisOptions {
  readonly random: Random
  /** By kind. */
  readonly disasters: Readonly<Record<string, Disaster>>
  /** How often each kind is chosen, relative to the others; those that are not named, never. */
  readonly weights: Readonly<Record<string, number>>
  /** The name, now, of the process at this place. */
  nameOf(place: number): string
}

/** ms. */
const STORM = 7000
const CALM = 4500
/** ms between two faults of a storm, at most; so many at once. */
const GAP = 700
const AT_ONCE = 2

export function unleash({ random, disasters, weights, nameOf }: NemesisOptions): Nemesis {
  const faults: Fault[] = []
  const going = new Set<Promise<void>>()
  const stopped = new AbortController()
  const kinds = Object.keys(disasters).filter((kind) => (weights[kind] ?? 0) > 0)
  let deck: string[] = []

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
    const at = monotonic()
    // Whom it befalls by name, before it does: a process that was killed has another name afterwards.
    const names = new Map<number, string>()
    for (let place = 0; place < 16; place++) names.set(place, nameOf(place))
    const { target, keys } = await (disasters[kind] as Disaster)(random)
    const name = target === 'all' ? ALL : (names.get(target) as string)
    faults.push({ kind, at, end: monotonic(), target: name, ...(keys === undefined ? {} : { keys }) })
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
        const one: Promise<void> = strike(draw()).finally(() => going.delete(one))
        going.add(one)
        if (going.size >= AT_ONCE) await Promise.race(going)
        await rest(random.next() * GAP)
      }
      await Promise.all(going)
      await rest(CALM)
    }
  }

  const done = go()
  done.catch(() => undefined) // told by `stop`

  return {
    faults,
    async stop() {
      stopped.abort()
      await done
      await Promise.all(going)
    },
  }
}
