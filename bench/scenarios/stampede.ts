import type { Row } from '../../test/load/scenario.ts'
import { startRedis } from '../../test/redis/server.ts'
import { type CacheName, SHARED, titleOf } from '../caches/names.ts'
import { type Callers, startCallers } from '../callers.ts'
import { median, quartiles } from '../rounds.ts'
import { type Rushed, rowOf, rush, rushedOf } from '../rush.ts'
import { atMost, type Goal, type Scenario, type Size, type Table } from '../scenario.ts'

const PROCESSES = { short: 2, full: 4 }
const LEASE = 5000
/** `callersPerKey`: of each process. */
const USUAL = {
  short: { callersPerKey: 25, loaderTime: 50, rounds: { timed: 1, counted: 1 } },
  full: { callersPerKey: 250, loaderTime: 200, rounds: { timed: 15, counted: 3 } },
}
const SLOW = {
  short: { callersPerKey: 25, loaderTime: 100, rounds: { timed: 1, counted: 1 } },
  full: { callersPerKey: 250, loaderTime: 2000, rounds: { timed: 5, counted: 1 } },
}

/** One after the other, until all code on the way is compiled: what is left is the way itself. */
const MANY = {
  short: { callersPerKey: [25], loaderTime: 20, rounds: { timed: 2, counted: 1 } },
  full: { callersPerKey: [1, 250], loaderTime: 20, rounds: { timed: 150, counted: 1 } },
}
const COMPILED: readonly CacheName[] = ['byHand', 'readFirstByHand', 'atomcache']

export const stampede: Scenario = {
  name: 'stampede',
  says: 'Four processes with 250 callers each ask for one cold key: runs of the loader, commands, and the time that is lost beyond the loader.',
  async run(size, say) {
    await using redis = await startRedis()
    const use = { redis: redis.url, ttl: 600_000, lease: LEASE, patient: true }
    await using callers = await startCallers(PROCESSES[size], SHARED, use)
    const tables: Table[] = []
    const goals: Goal[] = []
    for (const effort of [USUAL[size], SLOW[size]]) {
      const name = `loader of ${effort.loaderTime} ms`
      const asked = { ...effort, name: `stampede-${effort.loaderTime}`, keys: 1 }
      const rushed = await rush(callers, redis.url, SHARED, asked, say)
      tables.push({ title: `Stampede, ${name}`, figures: figuresOf(PROCESSES[size], rushed) })
      goals.push(...goalsOf(name, PROCESSES[size], rushed))
    }
    tables.push(await ofMany(callers, redis.url, size, say))
    return { tables, goals }
  },
}

async function ofMany(callers: Callers, redis: string, size: Size, say: (line: string) => void): Promise<Table> {
  const { callersPerKey: sizes, ...effort } = MANY[size]
  const figures: Row[] = []
  for (const callersPerKey of sizes) {
    const asked = { ...effort, callersPerKey, name: `stampede-many-${callersPerKey}`, keys: 1 }
    const rushed = await rush(callers, redis, COMPILED, asked, say)
    const title = `${callersPerKey} caller${callersPerKey === 1 ? '' : 's'} in each process`
    figures.push(
      ...[...rushed].map(([cache, one]) => ({ cache: `${titleOf(cache)}, ${title}`, ...timesOf(one, rushed) })),
    )
  }
  return { title: `Stampedes, ${effort.rounds.timed} one after the other, loader of ${effort.loaderTime} ms`, figures }
}

function figuresOf(processes: number, rushed: ReadonlyMap<CacheName, Rushed>) {
  return [...rushed].map(([cache, figures]) => {
    const row = rowOf(cache, figures)
    return { ...row, 'commands per process': row.commands / processes, ...timesOf(figures, rushed) }
  })
}

function timesOf({ beyond, before }: Rushed, rushed: ReadonlyMap<CacheName, Rushed>) {
  return {
    'beyond the loader (ms)': median(beyond),
    'quartiles (ms)': quartiles(beyond)
      .map((ms) => ms.toFixed(1))
      .join('–'),
    'of it before the loader (ms)': median(before),
    'by hand = 1': median(beyond) / beyondOf(rushed, 'byHand'),
  }
}

function goalsOf(name: string, processes: number, rushed: ReadonlyMap<CacheName, Rushed>): Goal[] {
  const { runs, commands } = rushedOf(rushed, 'atomcache')
  const ratio = beyondOf(rushed, 'atomcache') / beyondOf(rushed, 'byHand')
  return [
    atMost(`atomcache, ${name}, runs in any round`, 1, Math.max(...runs)),
    atMost(
      `atomcache, ${name}, commands in any round in which they are counted`,
      2 * processes + 2,
      Math.max(...commands),
    ),
    atMost(`atomcache, ${name}, time beyond it, of what is done by hand`, 1.5, ratio),
  ]
}

function beyondOf(rushed: ReadonlyMap<CacheName, Rushed>, cache: CacheName): number {
  return median(rushedOf(rushed, cache).beyond)
}
