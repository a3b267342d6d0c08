import { type CacheName, titleOf } from './caches/names.ts'
import { beforeOf, type Callers, runsOf, wallOf } from './callers.ts'
import { commandsDuring, countNaming } from './commands.ts'
import { inTurn, median } from './rounds.ts'

/** Cold keys that all processes ask for in one moment. */
export interface Rush {
  /** Of its keys; each round has others. */
  readonly name: string
  readonly keys: number
  readonly callersPerKey: number
  /** ms. */
  readonly loaderTime: number
  /** Of each cache: timed, and those whose commands are counted. */
  readonly rounds: { readonly timed: number; readonly counted: number }
}

export interface Rushed {
  /** Of the loader, in each round. */
  readonly runs: readonly number[]
  readonly commands: readonly number[]
  /** ms from the first question to the last answer, without the time of the loader. */
  readonly beyond: readonly number[]
  /** ms of these that pass before the loader of one key; of one that runs for each process, before the first of them. */
  readonly before: readonly number[]
}

/** All caches in turn. @throws Error where one of them answers wrongly */
export async function rush(
  callers: Callers,
  redis: string,
  names: readonly CacheName[],
  { name, keys: count, callersPerKey, loaderTime, rounds }: Rush,
  say: (line: string) => void,
): Promise<ReadonlyMap<CacheName, Rushed>> {
  const keysOf = (part: string) => Array.from({ length: count }, (_, i) => `${part}-${i}`)
  for (const cache of names) {
    await callers.warm(cache)
    const keys = keysOf(`${name}-warm-${cache}`)
    await callers.stampede({ cache, keys, callersPerKey, loaderTime: Math.min(loaderTime, 20) }) // compiled by now
  }
  say(`${name}: ${names.length} caches answer with the values, ${rounds.timed} rounds`)
  const timed = await inTurn(names, rounds.timed, async (cache, round) => {
    const keys = keysOf(`${name}-timed-${round}-${cache}`)
    const outcomes = await callers.stampede({ cache, keys, callersPerKey, loaderTime })
    return {
      runs: runsOf(outcomes),
      beyond: wallOf(outcomes) - loaderTime,
      before: beforeOf(outcomes, loaderTime),
    }
  })
  const counted = await inTurn(names, rounds.counted, async (cache, round) => {
    const part = `${name}-counted-${round}-${cache}`
    const asked = { cache, keys: keysOf(part), callersPerKey, loaderTime }
    const [outcomes, records] = await commandsDuring(redis, () => callers.stampede(asked))
    return { runs: runsOf(outcomes), commands: countNaming(part, records) }
  })
  return new Map(
    names.map((cache) => {
      const [watched = [], unwatched = []] = [counted.get(cache), timed.get(cache)]
      return [
        cache,
        {
          runs: [...unwatched, ...watched].map(({ runs }) => runs),
          commands: watched.map(({ commands }) => commands),
          beyond: unwatched.map(({ beyond }) => beyond),
          before: unwatched.map(({ before }) => before),
        },
      ]
    }),
  )
}

/** The figures that all tables of them begin with. */
export function rowOf(cache: CacheName, { runs, commands }: Rushed) {
  const [least, most] = [Math.min(...runs), Math.max(...runs)]
  return { cache: titleOf(cache), runs: least === most ? most : `${least}–${most}`, commands: median(commands) }
}

export function rushedOf(rushed: ReadonlyMap<CacheName, Rushed>, cache: CacheName): Rushed {
  const found = rushed.get(cache)
  if (found === undefined) throw new Error(`${cache} was not measured`)
  return found
}
