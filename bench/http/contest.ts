import { type NodeProcess, startProcess } from '../../test/redis/processes.ts'
import { startRedis } from '../../test/redis/server.ts'
import { tableOfProfiles } from '../profiled.ts'
import { inTurn, median, quartiles } from '../rounds.ts'
import type { Size, Table } from '../scenario.ts'
import type { ClientCalls } from './clients.ts'
import type { ContestantCalls } from './contestant.ts'

/** Servers that all answer the same request with the same text. */
export interface Question<Name extends string> {
  /** What serves a contestant, in a process of its own: a module that calls `serveContestant`. */
  readonly server: URL
  readonly contestants: readonly Name[]
  /** The request: its body, by POST, or what follows the URL, by GET. */
  readonly asks: { readonly body: string } | { readonly search: string }
  /** What all must answer. Default: what the first of them does. */
  readonly answer?: string
  /** `false`: nobody has a cache, so that no answer is a hit. Default: `true`. */
  readonly cached?: boolean
}

/** How often they are asked. */
export interface Effort {
  /** Of each contestant in each round. */
  readonly requests: number
  readonly rounds: number
}

export interface Contest<Name extends string> extends Question<Name>, Effort {}

/** What a request costs one server. */
export interface Cost {
  /** The median over the rounds: µs of the server's processor. */
  readonly cpu: number
  /** The quartiles of the same. */
  readonly spread: readonly [lower: number, upper: number]
  /** Requests a second of 32 connections: on a machine that the clients share. */
  readonly rate: number
}

export function effort(size: Size, requests = 3000, rounds = 9): Effort {
  return size === 'short' ? { requests: Math.ceil(requests / 50), rounds: 1 } : { requests, rounds }
}

/** A server that answers, and rightly. */
interface Site<Name extends string> {
  readonly name: Name
  readonly server: NodeProcess<ContestantCalls, never>
  /** Sends all requests; how long that took, in ms. */
  ask(): Promise<number>
}

/** Checks what all of them answer; then each is asked in turn, round by round, hits only. */
export function contest<Name extends string>(
  contest: Contest<Name>,
  say: (line: string) => void,
): Promise<ReadonlyMap<Name, Cost>> {
  const { requests, rounds } = contest
  return among(contest, say, async (sites) => {
    const samples = await inTurn(sites, rounds, async ({ server, ask }) => {
      await server.call('begin')
      const took = await ask()
      return { cpu: (await server.call('end')) / requests, rate: (requests / took) * 1000 }
    })
    return new Map(sites.map((site) => [site.name, costOf(samples.get(site) ?? [])]))
  })
}

/** What the servers of the same contest do meanwhile. */
export function profilesOfServers<Name extends string>(
  contest: Contest<Name>,
  title: string,
  say: (line: string) => void,
): Promise<Table> {
  const { requests, rounds } = contest
  return among(contest, say, async (sites) => {
    const profiles = await inTurn(sites, rounds, async ({ server, ask }) => {
      await server.call('beginProfile')
      await ask()
      return server.call('endProfile')
    })
    const columns = sites.map((site) => ({
      title: site.name,
      profiles: profiles.get(site) ?? [],
      operations: requests * rounds,
    }))
    return tableOfProfiles(title, columns)
  })
}

/** Starts all of them for as long as `run` takes. */
async function among<Name extends string, T>(
  { server: module, contestants, asks, answer, cached = true, requests }: Contest<Name>,
  say: (line: string) => void,
  run: (sites: readonly Site<Name>[]) => Promise<T>,
): Promise<T> {
  await using redis = await startRedis()
  await using clients = await startProcess<ClientCalls>(new URL('./clients.ts', import.meta.url))
  const body = 'body' in asks ? asks.body : undefined
  const sites: Site<Name>[] = []
  const started: NodeProcess<ContestantCalls, never>[] = []
  let expected = answer
  try {
    for (const name of contestants) {
      const server = await startProcess<ContestantCalls, never>(module)
      started.push(server)
      const url = (await server.call('start', name, redis.url, answer)) + ('search' in asks ? asks.search : '')
      // It is a hit from the second on, and its text is what it was.
      for (let i = 0; i < 5; i++) {
        const text = await clients.call('ask', url, body)
        expected ??= text
        if (text !== expected) throw new Error(`${name} answers ${text.slice(0, 200)}`)
      }
      const ask = () => clients.call('run', url, body, requests)
      const made = await server.call('made')
      await ask() // compiled by now
      const again = (await server.call('made')) - made
      if (again > 0 === cached) throw new Error(`${name} computes ${again} of ${requests} answers`)
      sites.push({ name, server, ask })
    }
    say(`${contestants.length} servers answer the same ${expected?.length} characters`)
    return await run(sites)
  } finally {
    await Promise.all(started.map((server) => server.kill()))
  }
}

function costOf(samples: readonly { cpu: number; rate: number }[]): Cost {
  const cpu = samples.map((sample) => sample.cpu)
  return { cpu: median(cpu), spread: quartiles(cpu), rate: median(samples.map(({ rate }) => rate)) }
}

/** One row of each contestant, with what it costs as a part of what the others named do. */
export function rowsOf<Name extends string>(costs: ReadonlyMap<Name, Cost>, ...bases: readonly Name[]) {
  return [...costs].map(([name, { cpu, spread, rate }]) => ({
    server: name,
    'CPU (µs/request)': Math.round(cpu),
    'quartiles (µs)': spread.map(Math.round).join('–'),
    'requests/s': Math.round(rate),
    ...Object.fromEntries(bases.map((base) => [`CPU, ${base} = 1`, cpu / cpuOf(costs, base)])),
  }))
}

export function cpuOf<Name extends string>(costs: ReadonlyMap<Name, Cost>, name: Name): number {
  const cost = costs.get(name)
  if (cost === undefined) throw new Error(`${name} was not measured`)
  return cost.cpu
}
