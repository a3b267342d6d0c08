import { type Profiler, type Runtime, Session } from 'node:inspector/promises'
import type { Table } from './scenario.ts'

/** µs in which a process did something, by what it did. */
export type Profile = ReadonlyMap<string, number>

/** µs between two samples. */
const INTERVAL = 250
/** Parts smaller than this share of all columns are one row. */
const LEAST_SHARE = 0.02

let session: Session | undefined
const { parse, stringify } = JSON

/** Calls of a process that can say what it does. */
export const profiling = {
  async beginProfile(): Promise<void> {
    session = new Session()
    session.connect()
    // What is built in counts as its caller's own: these are to be seen.
    JSON.parse = function parsed(...args) {
      return parse(...args)
    }
    JSON.stringify = function stringified(...args: Parameters<typeof stringify>) {
      return stringify(...args)
    } as typeof stringify
    await session.post('Profiler.enable')
    await session.post('Profiler.setSamplingInterval', { interval: INTERVAL })
    await session.post('Profiler.start')
  },

  /** Since `beginProfile`. */
  async endProfile(): Promise<Profile> {
    if (session === undefined) throw new Error('no profile was begun')
    const { profile } = await session.post('Profiler.stop')
    session.disconnect()
    session = undefined
    Object.assign(JSON, { parse, stringify })
    return partsOf(profile)
  },
}

export type Profiling = typeof profiling

function partsOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Profile {
  const parts = new Map(nodes.map(({ id, callFrame }) => [id, partOf(callFrame)]))
  const spent = new Map<string, number>()
  for (const [i, sample] of samples.entries()) {
    const part = parts.get(sample)
    if (part !== undefined) spent.set(part, (spent.get(part) ?? 0) + (timeDeltas[i] ?? 0))
  }
  return spent
}

/** What a function is part of; `undefined` where the process has nothing to do. */
function partOf({ functionName, url }: Runtime.CallFrame): string | undefined {
  const built = Object.hasOwn(BUILT_IN, functionName) ? BUILT_IN[functionName] : undefined
  if (url === '') return IDLE.includes(functionName) ? undefined : (built ?? 'V8 and Node, built in')
  if (url === import.meta.url) return built
  const [, own] = /\/dist\/[^/]+$/.test(url) && !url.includes('node_modules') ? ['', functionName] : []
  if (own !== undefined) return `${OURS}${own || 'functions without a name'}`
  const [, inPackage] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url) ?? []
  if (inPackage !== undefined) return inPackage.replace(/^ioredis6$/, 'ioredis')
  const [, node] = /^node:(.*)/.exec(url) ?? []
  if (node === undefined) return 'the benchmark itself'
  return NODE.find(([modules]) => modules.test(node))?.[1] ?? 'Node, else'
}

const OURS = 'atomcache: '
const OURS_ELSE = `${OURS}all else`
const ELSE = 'all else'
const PROMISES = 'promises that go on, and ticks'
const SOCKETS = 'writes to sockets'

/** Nothing; and the profiler itself. */
const IDLE = ['(idle)', 'dispatch']

/** Of functions that are not JavaScript, or stand for such. */
const BUILT_IN: Readonly<Record<string, string>> = {
  '(garbage collector)': 'garbage collection',
  '(program)': 'outside of JavaScript',
  parsed: 'JSON.parse',
  stringified: 'JSON.stringify',
  runMicrotasks: PROMISES,
  writev: SOCKETS,
  writeBuffer: SOCKETS,
  writeUtf8String: SOCKETS,
  writeLatin1String: SOCKETS,
}

const NODE: readonly (readonly [modules: RegExp, part: string])[] = [
  [/task_queues|async_hooks|promise/, PROMISES],
  [/timers/, 'timers'],
  [/http/, 'node:http'],
  [/net$|stream/, 'node:net and streams'],
]

/** A way to do something, and what a process did for so many of them. */
export interface Profiled {
  readonly title: string
  readonly profiles: readonly Profile[]
  readonly operations: number
}

/** µs of an operation, part by part: of atomcache, whose column is the last, function by function. */
export function tableOfProfiles(title: string, profiled: readonly Profiled[]): Table {
  const columns = profiled.map(({ profiles, operations }) => perOperation(profiles, operations))
  const totals = columns.map(totalOf)
  const parts = [...new Set(columns.flatMap((column) => [...column.keys()]))]
  const isSmall = (part: string) =>
    columns.every((column, i) => (column.get(part) ?? 0) < LEAST_SHARE * (totals[i] ?? 0))
  const nameOf = (part: string) => (!isSmall(part) ? part : part.startsWith(OURS) ? OURS_ELSE : ELSE)
  const rows = new Map<string, number[]>()
  for (const part of parts) {
    const name = nameOf(part)
    const row = rows.get(name) ?? columns.map(() => 0)
    rows.set(
      name,
      row.map((sum, i) => sum + (columns[i]?.get(part) ?? 0)),
    )
  }
  const last = columns.length - 1
  const rest = [OURS_ELSE, ELSE]
  const ordered = [...rows]
    .toSorted(([, a], [, b]) => (b[last] ?? 0) - (a[last] ?? 0))
    .toSorted(([a], [b]) => rest.indexOf(a) - rest.indexOf(b))
  const figuresOf = (what: string, row: readonly number[]) => ({
    what,
    ...Object.fromEntries(profiled.map((one, i) => [`${one.title} (µs)`, row[i] ?? 0])),
  })
  return { title, figures: [...ordered.map(([what, row]) => figuresOf(what, row)), figuresOf('all of it', totals)] }
}

function perOperation(profiles: readonly Profile[], operations: number): Map<string, number> {
  const sums = new Map<string, number>()
  for (const [part, spent] of profiles.flatMap((profile) => [...profile])) {
    sums.set(part, (sums.get(part) ?? 0) + spent / operations)
  }
  return sums
}

function totalOf(column: ReadonlyMap<string, number>): number {
  return [...column.values()].reduce((sum, spent) => sum + spent, 0)
}
