import { fork } from 'node:child_process'
import { once } from 'node:events'
import { type CacheEvent, memoryStore, type Store } from 'atomcache'
import type { ChildOptions } from './child.ts'
import { type ServerOptions, startServer } from './server.ts'

/** One of the servers, as the demo sees it. */
export interface DemoServer {
  readonly name: string
  readonly kind: 'yoga' | 'trpc'
  readonly url: string
  /** What its cache told since the last `forget`. */
  readonly events: readonly CacheEvent[]
  /** In a process of its own: SIGKILL. Otherwise only its cache is closed, which gives back what it leads. */
  end(): Promise<void>
}

export interface Fleet extends AsyncDisposable {
  readonly servers: readonly DemoServer[]
  /** Resolves when `events` has all that happened so far. */
  hear(): Promise<void>
  forget(): void
}

const SERVERS = [
  { name: 'yoga-1', kind: 'yoga' },
  { name: 'yoga-2', kind: 'yoga' },
  { name: 'yoga-3', kind: 'yoga' },
  { name: 'trpc', kind: 'trpc' },
] as const

/** Starts the servers: as processes on a Redis, or all in this process on one memory store. */
export async function startFleet(origin: string, redis: string | undefined): Promise<Fleet> {
  // A name of its own, so that two demos may share a Redis.
  const namespace = `demo-${process.pid}-${Date.now()}`
  const store = memoryStore()
  const started = await Promise.allSettled(
    SERVERS.map((server) => {
      const options = { ...server, namespace, origin }
      return redis === undefined ? startInside(options, store) : startProcess({ ...options, redis })
    }),
  )
  const servers = started.filter((start) => start.status === 'fulfilled').map(({ value }) => value)
  const fleet: Fleet = {
    servers,
    async hear() {
      await Promise.all(servers.map(({ hear }) => hear()))
    },
    forget() {
      for (const { events } of servers) events.length = 0
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map(({ stop }) => stop()))
    },
  }
  const failure = started.find((start) => start.status === 'rejected')
  if (failure === undefined) return fleet
  await fleet[Symbol.asyncDispose]()
  throw failure.reason
}

interface Started extends DemoServer {
  readonly events: CacheEvent[]
  hear(): Promise<void>
  stop(): Promise<void>
}

async function startInside(options: ServerOptions, store: Store): Promise<Started> {
  const events: CacheEvent[] = []
  const { url, closeCache, close } = await startServer(options, store, (event) => events.push(event))
  const { name, kind } = options
  return { name, kind, url, events, end: closeCache, hear: async () => {}, stop: close }
}

type Told = CacheEvent | { readonly type: 'ready'; readonly url: string } | { readonly type: 'heard' }

async function startProcess(options: ChildOptions): Promise<Started> {
  const { name, kind } = options
  const events: CacheEvent[] = []
  const child = fork(new URL('./child.ts', import.meta.url), [JSON.stringify(options)])
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const exited = once(child, 'exit').finally(() => process.off('exit', kill))

  let alive = true
  let ready: (url: string) => void
  let heard: () => void

  child.on('message', (told: Told) => {
    if (told.type === 'ready') return ready(told.url)
    if (told.type === 'heard') return heard()
    events.push(told)
  })

  async function stop(): Promise<void> {
    alive = false
    kill()
    await exited
  }

  async function hear(): Promise<void> {
    if (!alive) return
    const reply = new Promise<void>((resolve) => {
      heard = resolve
    })
    child.send('hear', () => {}) // if it is gone, `exited` tells
    await Promise.race([reply, exited])
  }

  let timer: NodeJS.Timeout | undefined
  try {
    const url = await new Promise<string>((resolve, reject) => {
      const failed = (why: string) => () => reject(new Error(`The server ${name} ${why}.`))
      ready = resolve
      timer = setTimeout(failed('did not start within 20 seconds'), 20_000)
      child.once('exit', failed('ended at its start'))
    })
    return { name, kind, url, events, end: stop, hear, stop }
  } catch (error) {
    await stop()
    throw error
  } finally {
    clearTimeout(timer)
  }
}
