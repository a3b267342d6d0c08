import { type NodeProcess, startProcess } from '../test/redis/processes.ts'
import type { CacheUse } from './caches/cache.ts'
import { type CacheName, titleOf } from './caches/names.ts'
import type { CallerCalls, CallerEvents, Outcome, Stampede } from './caller.ts'
import { now } from './now.ts'

export type Caller = NodeProcess<CallerCalls, CallerEvents>

/** Processes in which the same caches are open, each of them an instance of a service. */
export interface Callers extends AsyncDisposable {
  readonly processes: readonly Caller[]
  /** All are connected then, have loaded and have waited, and the server knows the scripts. */
  warm(cache: CacheName): Promise<void>
  /**
   * The callers of the first so many processes (default: all) ask in one moment.
   *
   * @throws Error where somebody did not get the value of what was asked for
   */
  stampede(asked: Omit<Stampede, 'startAt'>, count?: number): Promise<readonly Outcome[]>
}

/** ms until all processes have been told what to do. */
const NOTICE = 25

/** Opens the caches one after the other: nobody waits for a connection because others connect too. */
export async function startCallers(count: number, names: readonly CacheName[], use: CacheUse): Promise<Callers> {
  const processes: Caller[] = []
  const dispose = async () => void (await Promise.all(processes.map((one) => one[Symbol.asyncDispose]())))
  try {
    const caller = new URL('./caller.ts', import.meta.url)
    const started = await Promise.allSettled(Array.from({ length: count }, () => startProcess(caller)))
    for (const one of started) if (one.status === 'fulfilled') processes.push(one.value as unknown as Caller)
    for (const one of started) if (one.status === 'rejected') throw one.reason
    for (const name of names) await Promise.all(processes.map((process) => process.call('open', name, use)))
  } catch (error) {
    await dispose()
    throw error
  }
  let warmed = 0

  async function stampede(asked: Omit<Stampede, 'startAt'>, among = count): Promise<readonly Outcome[]> {
    const startAt = now() + NOTICE
    const outcomes = await Promise.all(
      processes.slice(0, among).map((process) => process.call('stampede', { ...asked, startAt })),
    )
    const wrong = outcomes.flatMap((outcome) => outcome.wrong)
    if (wrong.length > 0) throw new Error(`${titleOf(asked.cache)} answers something else: ${wrong[0]}`)
    return outcomes
  }

  return {
    processes,
    stampede,
    async warm(cache) {
      const asked = () => ({ cache, keys: [`warm-${process.pid}-${++warmed}`], callersPerKey: 10, loaderTime: 10 })
      await Promise.all(processes.map((one) => one.call('stampede', asked())))
      await stampede(asked())
    },
    [Symbol.asyncDispose]: dispose,
  }
}

export function runsOf(outcomes: readonly Outcome[]): number {
  return outcomes.reduce((sum, { runs }) => sum + runs, 0)
}

/** ms from the first question to the loader of one key, which takes `loaderTime`; by how much its timer is late counts too. */
export function beforeOf(outcomes: readonly Outcome[], loaderTime: number): number {
  const loaded = outcomes.flatMap(({ runs, loadedAt }) => (runs > 0 ? [loadedAt] : []))
  return Math.min(...loaded) - loaderTime - Math.min(...outcomes.map(({ startedAt }) => startedAt))
}

/** ms from the first question to the last answer. */
export function wallOf(outcomes: readonly Outcome[]): number {
  return Math.max(...outcomes.map(({ lastAt }) => lastAt)) - Math.min(...outcomes.map(({ startedAt }) => startedAt))
}
