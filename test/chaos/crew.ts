import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../core/schedule/random.ts'
import { type NodeProcess, startProcess } from '../redis/processes.ts'
import { monotonic, type ProcessHistory, type ProcessRecord } from './history.ts'
import type { Disaster } from './servers.ts'
import type { WorkerCalls, WorkerEvents, WorkerOptions } from './worker.ts'

/** The processes of a run, by their places. A dead one is replaced by another of a new name. */
export interface Crew extends AsyncDisposable {
  readonly disasters: Readonly<Record<'kill' | 'pause', Disaster>>
  nameOf(place: number): string
  /** What all of them have handed over so far, also those that are dead. */
  histories(): ProcessHistory[]
  /** Lets them finish. */
  stop(): Promise<Finished>
}

export interface Finished {
  /** What went wrong with the processes themselves; empty if nothing did. */
  readonly troubles: readonly string[]
  /** How often each event happened, in all of them that were not killed. */
  readonly events: Readonly<Record<string, number>>
}

type Worker = NodeProcess<WorkerCalls, WorkerEvents>

interface Member {
  readonly name: string
  readonly process: Worker
  readonly memory: number | null
  readonly batches: string[]
  readonly records: ProcessRecord[]
  /** Resolves when nothing more is to be heard of it. */
  readonly heard: Promise<void>
  killedAt?: number
}

/** ms for all that is under way in a process: more than its calls may take. */
const STOP_LIMIT = 20_000

const WORKER = new URL('./worker.ts', import.meta.url)

export async function startCrew(
  size: number,
  optionsOf: (place: number) => Omit<WorkerOptions, 'name' | 'seed'>,
  random: Random,
): Promise<Crew> {
  const all: Member[] = []
  const places: Member[] = []
  const generations: number[] = []
  const replacing = new Set<number>()

  const counts: Record<string, number> = {}

  async function start(place: number): Promise<void> {
    const generation = (generations[place] ?? 0) + 1
    generations[place] = generation
    const name = `${String.fromCharCode(65 + place)}${generation}`
    const seed = random.below(2 ** 31)
    const process = await startProcess<WorkerCalls, WorkerEvents>(WORKER)
    const batches: string[] = []
    const options = optionsOf(place)
    const { memory } = options
    const member: Member = { name, process, memory, batches, records: [], heard: hear(process, batches) }
    all.push(member)
    places[place] = member
    await process.call('start', { ...options, name, seed })
  }

  async function kill(random: Random): ReturnType<Disaster> {
    // Not one that is being replaced: it has not begun yet.
    const some = Array.from({ length: size }, (_, place) => place).filter((place) => !replacing.has(place))
    const place = random.pick(some)
    const member = places[place] as Member
    replacing.add(place)
    member.killedAt = monotonic()
    await member.process.kill()
    await start(place)
    replacing.delete(place)
    return { target: place }
  }

  async function pause(random: Random): ReturnType<Disaster> {
    const place = random.below(size)
    const { process } = places[place] as Member
    process.pause()
    // Half of them longer than a lease.
    await delay(random.chance(0.5) ? 50 + random.next() * 250 : 500 + random.next() * 700)
    process.resume()
    return { target: place }
  }

  async function stopOne({ name, process, killedAt, heard }: Member): Promise<string[]> {
    if (killedAt !== undefined) return []
    try {
      const { open, events } = await process.call('stop', STOP_LIMIT)
      for (const [event, count] of Object.entries(events)) counts[event] = (counts[event] ?? 0) + count
      await process.kill()
      await heard
      const complaints = complaintsOf(process)
      return [
        ...(open > 0 ? [`${name} has ${open} calls that do not end`] : []),
        ...(complaints === '' ? [] : [`${name} wrote to stderr: ${complaints}`]),
      ]
    } catch (error) {
      return [`${name} ended by itself: ${error instanceof Error ? error.message : String(error)}`]
    }
  }

  async function dispose(): Promise<void> {
    await Promise.all(
      all.map(async ({ process }) => {
        process.resume()
        await process.kill()
      }),
    )
  }

  try {
    await Promise.all(Array.from({ length: size }, (_, place) => start(place)))
  } catch (error) {
    await dispose()
    throw error
  }

  return {
    disasters: { kill, pause },
    nameOf: (place) => places[place]?.name ?? '',
    histories: () =>
      all.map((member) => {
        for (const batch of member.batches.splice(0)) member.records.push(...(JSON.parse(batch) as ProcessRecord[]))
        const { name, records, killedAt, memory } = member
        return {
          name,
          records,
          ...(killedAt === undefined ? {} : { killedAt }),
          ...(memory === null ? {} : { memory }),
        }
      }),
    stop: async () => ({ troubles: (await Promise.all(all.map(stopOne))).flat(), events: counts }),
    [Symbol.asyncDispose]: dispose,
  }
}

async function hear(process: Worker, batches: string[]): Promise<void> {
  try {
    for (;;) batches.push(await process.next('records'))
  } catch {
    // The process is gone.
  }
}

/** What it wrote to stderr, without the warnings of the cache, which are there to be seen. */
function complaintsOf({ stderr }: Worker): string {
  return stderr
    .split('\n')
    .filter((line) => !/AtomcacheWarning: |^\(Use `node --trace-warnings/.test(line))
    .join('\n')
    .trim()
}
