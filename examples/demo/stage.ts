import type { CacheEvent } from 'atomcache'
import type { DemoServer, Fleet } from './fleet.ts'
import type { Answer } from './load.ts'
import type { Origin, Run } from './origin.ts'
import { table } from './table.ts'

/** Where the scenes are played: prints them, counts, and keeps what went wrong. */
export interface Stage {
  /** Begins a scene: its title, and what will happen. */
  open(title: string, ...plan: string[]): void
  /** What happened, server by server. */
  show(answers: readonly Answer<unknown>[]): Promise<void>
  /** Requests that no table shows. */
  count(answers: readonly Answer<unknown>[]): void
  say(line: string): void
  /** What must be true, in words for both cases. */
  check(fact: boolean, yes: string, no: string): void
  /** Ends the play: what it came to. */
  close(): { readonly requests: number; readonly runs: number; readonly failures: readonly string[] }
}

const { NO_COLOR } = process.env
const colours = process.stdout.isTTY && (NO_COLOR === undefined || NO_COLOR === '')
const paint = (code: number) => (text: string) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text)
const bold = paint(1)
const green = paint(32)
const red = paint(31)

const COLUMNS = [
  { title: 'server' },
  { title: 'requests', right: true },
  { title: 'answers', right: true },
  { title: 'what its cache did' },
  { title: 'joined', right: true },
  { title: 'hits', right: true },
  { title: 'slowest', right: true },
  { title: 'runs', right: true },
]

export function createStage(fleet: Fleet, origin: Origin): Stage {
  let title = ''
  let scenes = 0
  let requests = 0
  let runs = 0
  const failures: string[] = []

  function forget(): void {
    runs += origin.runs.length
    fleet.forget()
    origin.forget()
  }

  return {
    open(name, ...plan) {
      title = name
      forget()
      print('', bold(`${++scenes}. ${name}`), ...plan, '')
    },

    async show(answers) {
      await fleet.hear()
      const rows = fleet.servers.map((server) => rowOf(server, fleet.servers, answers, origin.runs))
      const sum = (column: number) => String(rows.reduce((total, row) => total + Number(row[column]), 0))
      const cells = ['total', sum(1), '', '', sum(4), sum(5), slowestOf(answers), sum(7)]
      print(...table(COLUMNS, [...rows, cells]), '')
      for (const fault of fleet.servers.flatMap(faultsOf)) print(`! ${fault}`)
      requests += answers.length
    },

    say: (line) => print(`  ${line}`),

    check(fact, yes, no) {
      if (fact) return print(`${green('✓')} ${yes}`)
      print(`${red('✗')} ${no}`)
      failures.push(`${title}: ${no}`)
    },

    count(answers) {
      requests += answers.length
    },

    close() {
      forget()
      return { requests, runs, failures }
    },
  }
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`
}

function print(...lines: string[]): void {
  for (const line of lines) console.log(line)
}

function rowOf(
  server: DemoServer,
  servers: readonly DemoServer[],
  answers: readonly Answer<unknown>[],
  runs: readonly Run[],
): string[] {
  const own = answers.filter((answer) => answer.server === server)
  const count = (type: CacheEvent['type']) => server.events.filter((event) => event.type === type).length
  return [
    server.name,
    String(own.length),
    outcomesOf(own),
    deedsOf(server, servers),
    String(count('join')),
    String(count('hit')),
    slowestOf(own),
    String(runs.filter((run) => run.server === server.name).length),
  ]
}

function outcomesOf(answers: readonly Answer<unknown>[]): string {
  const words = { value: '', error: ' errors', lost: ' cut off' }
  return Object.entries(words)
    .map(([type, word]) => ({ word, count: answers.filter((answer) => answer.type === type).length }))
    .filter(({ count }) => count > 0)
    .map(({ word, count }) => `${count}${word}`)
    .join(', ')
}

function slowestOf(answers: readonly Answer<unknown>[]): string {
  return seconds(Math.max(0, ...answers.map(({ startedAt, endedAt }) => endedAt - startedAt)))
}

/** What a server's cache did, in the order of its events: whom it waited for, whether it led. */
function deedsOf({ events }: DemoServer, servers: readonly DemoServer[]): string {
  const leaderOf = (token: string) =>
    servers.find((server) => server.events.some((event) => event.type === 'lead' && event.token === token))?.name ?? '?'
  const deeds = new Map<string, string>()
  for (const event of events) {
    switch (event.type) {
      case 'follow':
        deeds.set(event.token, `waited for ${leaderOf(event.token)}`)
        break
      case 'followed':
        deeds.set(event.token, `waited ${seconds(event.duration)} for ${leaderOf(event.token)}`)
        break
      case 'takeover':
        deeds.delete(event.from)
        deeds.set(event.token, `took over from ${leaderOf(event.from)}`)
        break
      case 'lead':
        if (!deeds.has(event.token)) deeds.set(event.token, 'led')
        break
      case 'fenced':
        deeds.set(event.token, 'led (refused)')
        break
      case 'release':
        deeds.set(event.token, 'led (given back)')
        break
      case 'hit':
        deeds.set('hit', 'found it')
        break
      case 'alone':
        deeds.set(`alone ${deeds.size}`, `ran alone (${event.reason})`)
        break
    }
  }
  return [...deeds.values()].join(', ').replaceAll(/(waited [^,]+, )waited /g, '$1')
}

/** What should not have happened, told by a cache. */
function faultsOf({ name, events }: DemoServer): string[] {
  const faults = events.flatMap((event) => {
    switch (event.type) {
      case 'storeFault':
        return [`${name}: the store failed in ${event.op}: ${String(event.error)}`]
      case 'breaker':
        return [`${name}: the circuit breaker is ${event.state}`]
      case 'waitTimeout':
        return [`${name}: a wait took too long`]
      default:
        return []
    }
  })
  return [...new Set(faults)]
}
