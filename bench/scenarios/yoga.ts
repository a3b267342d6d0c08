import { strict as assert } from 'node:assert'
import type { CommandRecord } from '../../test/redis/monitor.ts'
import { type NodeProcess, startProcess } from '../../test/redis/processes.ts'
import { startRedis } from '../../test/redis/server.ts'
import { commandsDuring } from '../commands.ts'
import { inTurn, median, quartiles } from '../rounds.ts'
import { atMost, type Scenario } from '../scenario.ts'
import { valueFor } from '../value.ts'
import type { Answered, ClientCalls } from '../yoga/clients.ts'
import type { ServerCalls } from '../yoga/server.ts'
import { QUERY, SITES, type Site } from '../yoga/sites.ts'

const PROCESSES = { short: 2, full: 4 }
/** `each`: requests to each process, on a connection each. */
const EFFORT = {
  short: { each: 25, loaderTime: 100, rounds: { timed: 1, counted: 1 } },
  full: { each: 250, loaderTime: 200, rounds: { timed: 11, counted: 3 } },
}

type Server = NodeProcess<ServerCalls, Record<string, never>>

export const yoga: Scenario = {
  name: 'yoga',
  says: 'Four GraphQL servers get 250 requests each for one cold query, over HTTP: runs of the resolver, commands, and the time that is lost beyond the resolver.',
  async run(size, say) {
    const { each, loaderTime, rounds } = EFFORT[size]
    const processes = PROCESSES[size]
    await using crew = await startServers(processes)
    const { servers, redis, urls, clients } = crew
    say(`${SITES.length} sites on ${processes} servers`)

    /** @throws Error where somebody is answered with something else */
    async function ask(site: Site, id: string, time: number): Promise<Answered & { runs: number }> {
      const body = JSON.stringify({ query: QUERY, variables: { id, loaderTime: time }, operationName: 'Shelf' })
      const answered = await clients.call('burst', { urls: urls.get(site) ?? [], each, body })
      const right = JSON.stringify({ data: { shelf: valueFor(id, 1024) } })
      assert.deepEqual(answered.texts, [right], `${site} answers something else`)
      const runs = await Promise.all(servers.map((server) => server.call('runs', site, id)))
      return { ...answered, runs: runs.reduce((sum, count) => sum + count, 0) }
    }

    // Connected and compiled by now, and hits are the same text.
    for (const site of SITES) for (const id of ['warm', 'warmer', 'warm']) await ask(site, id, 20)
    const timed = await inTurn(SITES, rounds.timed, async (site, round) => {
      const { startedAt, lastAt, runs } = await ask(site, `timed ${round}`, loaderTime)
      return { runs, beyond: lastAt - startedAt - loaderTime }
    })
    const counted = await inTurn(SITES, rounds.counted, async (site, round) => {
      const [{ runs }, records] = await commandsDuring(redis.get(site) ?? '', () =>
        ask(site, `counted ${round}`, loaderTime),
      )
      return { runs, commands: records.filter((record) => !keepsAlive(record)).length }
    })
    const samplesOf = (site: Site) => {
      const [unwatched = [], watched = []] = [timed.get(site), counted.get(site)]
      return {
        runs: [...unwatched, ...watched].map(({ runs }) => runs),
        commands: watched.map(({ commands }) => commands),
        beyond: unwatched.map(({ beyond }) => beyond),
      }
    }
    const least = median(samplesOf('Yoga without a cache').beyond)
    const figures = SITES.map((site) => {
      const { runs, commands, beyond } = samplesOf(site)
      return {
        server: site,
        runs: median(runs),
        commands: median(commands),
        'commands per process': median(commands) / processes,
        'beyond the resolver (ms)': median(beyond),
        'quartiles (ms)': quartiles(beyond)
          .map((ms) => ms.toFixed(1))
          .join('–'),
        'without a cache = 1': median(beyond) / least,
      }
    })
    const ours = samplesOf('atomcache')
    return {
      tables: [{ title: `Stampede over HTTP, resolver of ${loaderTime} ms`, figures }],
      goals: [
        atMost('atomcache, runs in any round', 1, Math.max(...ours.runs)),
        atMost('atomcache, commands in any round', 2 * processes + 2, Math.max(...ours.commands)),
      ],
    }
  },
}

/** Each site has a Redis of its own: what one sends behind its answers, for seconds even, is not the next one's. */
async function startServers(count: number) {
  const processes: AsyncDisposable[] = []
  const dispose = async () => void (await Promise.all(processes.map((one) => one[Symbol.asyncDispose]())))
  const start = async <P extends AsyncDisposable>(file: string): Promise<P> => {
    const process = await startProcess(new URL(file, import.meta.url))
    processes.push(process)
    return process as unknown as P
  }
  try {
    const clients = await start<NodeProcess<ClientCalls, Record<string, never>>>('../yoga/clients.ts')
    const servers: Server[] = []
    for (let i = 0; i < count; i++) servers.push(await start<Server>('../yoga/server.ts'))
    const redis = new Map<Site, string>()
    const urls = new Map<Site, string[]>()
    for (const site of SITES) {
      const server = await startRedis()
      processes.push(server)
      redis.set(site, server.url)
      urls.set(site, await Promise.all(servers.map((one) => one.call('start', site, server.url))))
    }
    return { servers, redis, urls, clients, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

/** What an instance sends whether it is asked or not: to itself, to know that it is told, and to know the time. */
function keepsAlive({ args: [name = '', channel = '', message] }: CommandRecord): boolean {
  return /^time$/i.test(name) || (/^publish$/i.test(name) && channel.includes(':inbox:') && message === 'P')
}
