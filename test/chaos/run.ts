import { setTimeout as delay } from 'node:timers/promises'
import { createRandom } from '../core/schedule/random.ts'
import { testNamespace } from '../redis/namespace.ts'
import { startRedis } from '../redis/server.ts'
import { check } from './checker/check.ts'
import { type Model, modelOf } from './checker/model.ts'
import type { Violation } from './checker/violation.ts'
import { startChaosCluster } from './cluster.ts'
import { type Crew, startCrew } from './crew.ts'
import { ALL, type Fault, type History } from './history.ts'
import { type Nemesis, unleash } from './nemesis.ts'
import { type Observer, observe } from './observer.ts'
import { hurryOf, type Profile } from './profile.ts'
import { startChaosSentinel } from './sentinel.ts'
import type { Servers } from './servers.ts'
import { watchStalls } from './stall.ts'
import { startStandalone } from './standalone.ts'

export interface ChaosOptions {
  readonly seconds: number
  readonly seed: number
  readonly servers: Servers['kind']
  readonly profile: Profile
  /** URL of the directory with the index.ts of what is tested. */
  readonly source: string
  /** Ends with the first violation, if there is one before the time is over. */
  readonly impatient: boolean
}

export interface Chaos {
  readonly model: Model
  readonly violations: readonly Violation[]
  /** How often the observer looked. */
  readonly looks: number
  /** How often each event of the caches happened, in processes that were not killed. */
  readonly events: Readonly<Record<string, number>>
}

/** ms between two checks of what has been recorded so far. */
const CHECK_EVERY = 2000
/** ms that a run may take beside its time: to start, to finish and to be judged on a busy machine. */
export const GRACE = 90_000

const START = { standalone: startStandalone, sentinel: startChaosSentinel, cluster: startChaosCluster }

/** Plays for so many seconds, and judges what happened. Rejects if it hangs; ends all that it started in any case. */
export async function runChaos(options: ChaosOptions): Promise<Chaos> {
  const { seconds, seed, servers: kind, profile } = options
  const random = createRandom(seed)
  const namespace = testNamespace('chaos')
  const { processes, latencies, memories } = profile
  const ids = profile.keys.map(({ id }) => id)
  await using origin = await startRedis()
  await using servers = await START[kind]({ namespace, processes, ids, latencies })
  const said = { namespace, originUrl: origin.url, profile, source: options.source }
  await using crew = await startCrew(
    processes,
    (place) => ({ ...said, target: servers.targetOf(place), memory: memories[place % memories.length] ?? null }),
    createRandom(random.below(2 ** 31)),
  )
  const observer = observe(ids, servers.look)
  const nemesis = unleash({
    random: createRandom(random.below(2 ** 31)),
    disasters: { ...crew.disasters, ...servers.disasters },
    weights: profile.faults,
    places: processes,
    nameOf: crew.nameOf,
  })
  const stalls: Fault[] = []
  // The proxies are in this process.
  const unwatch = watchStalls((at, end) => stalls.push({ kind: 'stall', at, end, target: ALL }))
  const parts: Parts = { crew, observer, nemesis, profile, stalls, awaited: 'the end of its time' }

  const limit = new AbortController()
  const hangs = delay(seconds * 1000 + GRACE, undefined, { signal: limit.signal }).then(() => {
    throw new Error(`${GRACE / 1000} seconds after its time the run still waits for ${parts.awaited}.`)
  })
  hangs.catch(() => undefined)
  try {
    return await Promise.race([play(options, parts), hangs])
  } finally {
    limit.abort()
    unwatch()
    void observer.stop()
  }
}

interface Parts {
  readonly crew: Crew
  readonly observer: Observer
  readonly nemesis: Nemesis
  readonly profile: Profile
  readonly stalls: readonly Fault[]
  /** What the run waits for, in words: said where it does not come. */
  awaited: string
}

async function play(options: ChaosOptions, parts: Parts): Promise<Chaos> {
  const { crew, observer, nemesis } = parts
  await Promise.race([timeOf(options, parts), nemesis.broken])
  parts.awaited = 'harm to be undone'
  await nemesis.stop()
  parts.awaited = 'the processes to finish'
  const { troubles, events } = await crew.stop()
  parts.awaited = 'the last look into Redis'
  await observer.stop()
  const model = modelOf(historyOf(parts, true))
  const found = check(model.history, model)
  const unhandled = troubles.map((text): Violation => ({ rule: 'unhandled', at: 0, text }))
  return { model, violations: [...unhandled, ...found], looks: observer.looks, events }
}

/** Resolves when the time is over, or, for the impatient, when something is wrong. */
async function timeOf({ seconds, impatient }: ChaosOptions, parts: Parts): Promise<void> {
  if (!impatient) return delay(seconds * 1000)
  const until = performance.now() + seconds * 1000
  while (performance.now() < until) {
    await delay(Math.min(CHECK_EVERY, until - performance.now()))
    if (check(historyOf(parts, false)).length > 0) return
  }
}

function historyOf({ crew, observer, nemesis, profile, stalls }: Parts, complete: boolean): History {
  const faults = [...nemesis.faults, ...observer.slowness, ...stalls]
  const { sightings } = observer
  const keys = Object.fromEntries(
    profile.keys.map(({ id, scope, tags, lease, limited, kept }) => {
      const said = { ...(limited === undefined ? {} : { limited }), ...(kept === undefined ? {} : { kept }) }
      return [id, { scope, tags, lease, ...said }]
    }),
  )
  const hurry = hurryOf(profile)
  return {
    keys,
    processes: crew.histories(),
    faults,
    sightings: [...sightings],
    complete,
    ...(hurry === undefined ? {} : { hurry }),
  }
}
