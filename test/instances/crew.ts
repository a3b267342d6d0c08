import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, expect } from 'vitest'
import type { CacheEventOf, CacheEventType, CacheOptions } from '../../src/index.ts'
import { PROBE } from '../../src/stores/redis/messages.ts'
import { type CommandRecord, inScript } from '../redis/monitor.ts'
import { testNamespace } from '../redis/namespace.ts'
import { type NodeProcess, startProcess } from '../redis/processes.ts'
import type { ClusterPlace, SentinelPlace } from './place.ts'
import type { Asked, AskOptions, Heard, LoaderSpec, Said, WorkerCalls, WorkerEvents } from './worker.ts'

const WORKER = new URL('./worker.ts', import.meta.url)

/** ms after which something that a test waits for counts as not happening: far more than a busy machine needs. */
const DEADLINE = 10_000

/**
 * Which Redis: the URL of a server; or a cluster, which A and C reach through ioredis 6, B and D through 5; or one for each; or
 * sentinels, which A and D give as options, B as a client of ioredis 5, C of 6.
 */
export type Whereabouts =
  | { url: string | readonly string[] }
  | { guarded: Omit<SentinelPlace, 'as' | 'connectionName'> }
  | { cluster: ClusterPlace | readonly [ClusterPlace, ...ClusterPlace[]] }

export type CrewOptions = Whereabouts & CrewSettings

interface CrewSettings {
  /** For all caches. */
  cache?: Omit<CacheOptions, 'store' | 'namespace'>
  /** How many processes take part. Default: all. */
  size?: number
  /** `false`: don't wait until the caches are connected. */
  ready?: boolean
  /** `true`: nobody listens to the caches. */
  unheard?: boolean
  /** `true`: steps can be held on their way to the store. */
  gated?: boolean
}

/** The processes of one test file. Each test opens new caches in them, in a namespace of its own. */
export interface Crew {
  /** One for each process, in order; as a tuple because the tests name them. */
  open(options: CrewOptions): Promise<[a: Instance, b: Instance, c: Instance, d: Instance]>
}

/** One process with one cache. */
export interface Instance {
  /** `A`, `B`, ...: what its loaders' values begin with. */
  readonly name: string
  readonly namespace: string
  /** As `CLIENT LIST` names its connections. */
  readonly connectionName: string
  readonly process: NodeProcess<WorkerCalls, WorkerEvents>
  ask(key: string, callers?: number, spec?: LoaderSpec, options?: AskOptions): Promise<Asked>
  /** The first `count` events of this type (about this key), waited for if need be; returns the last of them. */
  saw<T extends Said['type']>(type: T, about?: { key?: string; count?: number }): Promise<Extract<Said, { type: T }>>
  /** Waits for the event that it is true for. */
  until(is: (event: Said) => boolean, what: string): Promise<Heard>
  /** What happened so far, about this key (or anything), one line each: `followed value`. Without joins. */
  trace(key?: string): Promise<string[]>
  events<T extends CacheEventType>(type: T): Promise<CacheEventOf<T>[]>
  finish(key: string): Promise<void>
  /** Waits until the store answers, the breaker is closed, and messages arrive. */
  recovered(): Promise<void>
  kill(): Promise<void>
  /** Resolves with how the process ended, which is no failure of the test then. */
  ends(): Promise<string>
}

/** Processes for the tests of the file that calls it; a dead one is replaced for the next test. */
export function useCrew(size: number): Crew {
  const slots: (Slot | undefined)[] = Array.from({ length: size }, () => undefined)

  async function start(index: number): Promise<Slot> {
    const process = await startProcess<WorkerCalls, WorkerEvents>(WORKER)
    const slot: Slot = { name: String.fromCharCode(65 + index), process, cache: 0, heard: [], waiting: new Set() }
    void listen(slot)
    return slot
  }

  afterEach(async () => {
    const opened = slots.map((slot, index) => ({ slot, index })).filter(({ slot }) => slot !== undefined)
    const done = await Promise.allSettled(
      opened.map(async ({ slot, index }) => {
        if (slot === undefined) return
        // A test that failed may have left it paused, or busy for ever.
        slot.process.resume()
        const reset = within(DEADLINE, slot.process.call('reset'), `${slot.name} to be reset`)
        const failed = await reset.then(
          () => undefined,
          (error) => error,
        )
        if (failed === undefined && complaints(slot) === '') return
        slots[index] = undefined
        if (slot.gone === undefined) await slot.process.kill()
        if (slot.mayEnd) return
        if (failed !== undefined) throw failed
        throw new Error(`${slot.name} wrote to stderr:\n${complaints(slot)}`)
      }),
    )
    for (const result of done) if (result.status === 'rejected') throw result.reason
  })

  afterAll(async () => {
    await Promise.all(slots.map((slot) => slot?.process[Symbol.asyncDispose]()))
  })

  return {
    async open({ cache = {}, size: some = size, ready = true, unheard = false, gated = false, ...where }) {
      const namespace = testNamespace()
      const instances = await Promise.all(
        Array.from({ length: some }, async (_, index) => {
          slots[index] ??= await start(index)
          const slot = slots[index]
          const connectionName = `${namespace}-${slot.name}`
          const place = placeOf(where, index, connectionName)
          slot.heard = []
          const options = { place, name: slot.name, cache: { ...cache, namespace }, unheard, gated }
          slot.cache = Number.POSITIVE_INFINITY
          slot.cache = await slot.process.call('open', options)
          slot.heard = (await slot.process.call('heard')).slice()
          if (ready) await within(DEADLINE, slot.process.call('ready'), `${slot.name} to be ready`)
          return instanceOf(slot, namespace, connectionName)
        }),
      )
      return instances as [Instance, Instance, Instance, Instance]
    },
  }
}

function placeOf(where: Whereabouts, index: number, connectionName: string): string | ClusterPlace | SentinelPlace {
  if ('url' in where) {
    const own = new URL(typeof where.url === 'string' ? where.url : (where.url[index] as string))
    own.searchParams.set('connectionName', connectionName)
    return own.href
  }
  if ('guarded' in where) {
    const { sentinels, name, natMap } = where.guarded
    return { sentinels, name, natMap, connectionName, as: index === 1 ? 5 : index === 2 ? 6 : 'options' }
  }
  const { cluster } = where
  const place = 'startupNodes' in cluster ? cluster : (cluster[index] as ClusterPlace)
  const { ioredis = index % 2 === 0 ? 6 : 5, options = {} } = place
  return { ...place, ioredis, options: { ...options, redisOptions: { connectionName, ...options.redisOptions } } }
}

/** Waits for it, but not for ever. */
export async function within<T>(ms: number, promise: Promise<T>, what: string | (() => string)): Promise<T> {
  const limit = new AbortController()
  const error = new Error() // made here: its stack names the line of the test
  const late = delay(ms, undefined, { signal: limit.signal, ref: false }).then(() => {
    error.message = `waited ${ms} ms for ${typeof what === 'string' ? what : what()}`
    throw error
  })
  late.catch(() => undefined)
  try {
    return await Promise.race([promise, late])
  } finally {
    limit.abort()
  }
}

/** The first of them to see such an event. */
export function firstOf(
  instances: readonly Instance[],
  type: Said['type'],
  about?: { key?: string; count?: number },
): Promise<Instance> {
  return Promise.race(instances.map((instance) => instance.saw(type, about).then(() => instance)))
}

/** The two connections of an instance. */
export interface Connections {
  commands: Connection | undefined
  inbox: Connection | undefined
}

export interface Connection {
  id: string
  address: string
}

/** Finds the connections of an instance by their name. */
export async function connectionsOf(client: Redis, instance: Instance): Promise<Connections> {
  const found: Connections = { commands: undefined, inbox: undefined }
  for (const line of String(await client.client('LIST')).split('\n')) {
    const fields = Object.fromEntries(
      line.split(' ').map((field) => [field.slice(0, field.indexOf('=')), field.slice(field.indexOf('=') + 1)]),
    )
    if (fields.name !== instance.connectionName) continue
    found[Number(fields.sub) > 0 ? 'inbox' : 'commands'] = { id: String(fields.id), address: String(fields.addr) }
  }
  return found
}

/** What these instances sent: name of the command, by instance; without what ran inside scripts. */
export async function commandsOf(
  records: readonly CommandRecord[],
  client: Redis,
  instances: readonly Instance[],
): Promise<Record<string, string[]>> {
  const sent: Record<string, string[]> = {}
  for (const instance of instances) {
    const { commands, inbox } = await connectionsOf(client, instance)
    const own = records.filter(
      (record) =>
        !inScript(record) &&
        !isProbe(record) &&
        (record.source === commands?.address || record.source === inbox?.address),
    )
    sent[instance.name] = own.map(({ args }) => String(args[0]).toLowerCase())
  }
  return sent
}

/** A message to oneself, which comes every few seconds, whatever is asked. */
function isProbe({ args }: CommandRecord): boolean {
  return args[0]?.toLowerCase() === 'publish' && args[2] === PROBE
}

/** A process, over the tests of its file. */
interface Slot {
  name: string
  process: NodeProcess<WorkerCalls, WorkerEvents>
  /** Which of its caches is the test's. */
  cache: number
  heard: Heard[]
  /** Looked through at each event. */
  waiting: Set<() => void>
  gone?: Error
  mayEnd?: boolean
}

async function listen(slot: Slot): Promise<void> {
  try {
    for (;;) {
      const heard = await slot.process.next('heard')
      if (heard.cache !== slot.cache) continue
      slot.heard.push(heard)
      for (const look of slot.waiting) look()
    }
  } catch (error) {
    slot.gone = error as Error
    for (const look of slot.waiting) look()
  }
}

function instanceOf(slot: Slot, namespace: string, connectionName: string): Instance {
  const { process, name } = slot

  function until(is: (event: Said) => boolean, what: string, count = 1): Promise<Heard> {
    const found = new Promise<Heard>((resolve, reject) => {
      const look = () => {
        const item = slot.heard.filter(({ event }) => is(event))[count - 1]
        if (item !== undefined) resolve(item)
        else if (slot.gone !== undefined) reject(slot.gone)
        else return
        slot.waiting.delete(look)
      }
      slot.waiting.add(look)
      look()
    })
    return within(DEADLINE, found, () => {
      return `${name} to see ${what}, and it saw ${slot.heard.map(({ event }) => lineOf(event)).join(', ') || 'nothing'}`
    })
  }

  const heard = async () => (await process.call('heard')).map(({ event }) => event)

  return {
    name,
    namespace,
    connectionName,
    process,
    ask(key, callers = 1, spec = {}, options = {}) {
      const asked = process.call('ask', key, callers, spec, options)
      asked.catch(() => undefined) // a test that kills the process does not wait for it
      return asked
    },
    async saw(type, { key, count = 1 } = {}) {
      const what = `${type}${key === undefined ? '' : ` of ${key}`}${count === 1 ? '' : ` ${count} times`}`
      const item = await until(
        (event) => event.type === type && (key === undefined || isAbout(event, key)),
        what,
        count,
      )
      return item.event as never
    },
    until: (is, what) => until(is, what),
    trace: async (key) => (await heard()).filter((event) => key === undefined || isAbout(event, key)).map(lineOf),
    events: async (type) => (await heard()).filter((event) => event.type === type) as never,
    finish: (key) => process.call('finish', key),
    async recovered() {
      const state = () => process.call('probe')
      await expect.poll(state, { timeout: DEADLINE }).toEqual({ answered: true, breaker: 'closed', inbox: true })
    },
    async kill() {
      slot.mayEnd = true
      await process.kill()
    },
    async ends() {
      slot.mayEnd = true
      const ended = new Promise<string>((resolve) => {
        const look = () => {
          if (slot.gone === undefined) return
          slot.waiting.delete(look)
          resolve(slot.gone.message)
        }
        slot.waiting.add(look)
        look()
      })
      return within(DEADLINE, ended, `${name} to end by itself`)
    },
  }
}

function isAbout(event: Said, key: string): boolean {
  if ('keys' in event) return event.keys.includes(key)
  return 'key' in event && event.key === key
}

function lineOf(event: Said): string {
  switch (event.type) {
    case 'followed':
      return `followed ${event.outcome}`
    case 'alone':
    case 'release':
    case 'share':
      return `${event.type} ${event.reason.split(' ')[0]}`
    case 'stale':
      return `stale ${event.reason}`
    case 'loaderError':
      return event.shared ? 'loaderError shared' : 'loaderError'
    case 'invalidate':
      return event.remote ? 'invalidate remote' : 'invalidate'
    case 'clear':
      return event.remote ? 'clear remote' : 'clear'
    case 'held':
      return `held ${event.step}`
    case 'storeFault':
      return `storeFault ${event.op} ${(event.error as { code?: string }).code}`
    case 'breaker':
      return `breaker ${event.state}`
    case 'inbox':
      return event.confirmed ? 'inbox on' : 'inbox off'
    default:
      return event.type
  }
}

/** What it wrote to stderr, without the warnings of the cache, which are there to be seen. */
function complaints({ process }: Slot): string {
  return process.stderr
    .split('\n')
    .filter((line) => !/AtomcacheWarning: |^\(Use `node --trace-warnings/.test(line))
    .join('\n')
    .trim()
}
