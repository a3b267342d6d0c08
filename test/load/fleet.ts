import { testNamespace } from '../redis/namespace.ts'
import { type NodeProcess, startProcess } from '../redis/processes.ts'
import { untilClear } from '../redis/untilClear.ts'
import type { ApiCalls, ApiEvents, ApiOptions, Told } from './api.ts'
import type { ClientCalls, Target } from './clients.ts'
import type { ApiKind } from './listeners.ts'

/** One server, as whoever runs the scenario sees it. */
export interface Api extends Target {
  readonly process: NodeProcess<ApiCalls, ApiEvents>
  /** All that happened there so far. */
  readonly told: readonly Told[]
}

export interface FleetOptions {
  readonly redis: string
  /** One server each. */
  readonly kinds: readonly ApiKind[]
  /** ms that the origin takes. */
  readonly cost: number
  readonly cache?: Omit<ApiOptions['cache'], 'namespace'>
  /** ms that requests may take when a server ends, before what they compute is handed over. Default: 0. */
  readonly grace?: number
}

/** Servers that share a cache, and clients that ask them. */
export interface Fleet extends AsyncDisposable {
  readonly apis: readonly Api[]
  readonly clients: NodeProcess<ClientCalls, Record<string, never>>
  /** SIGTERM; resolves when the process has ended, with its exit code. Clients ask it no more when they have noticed. */
  end(api: Api): Promise<number | string | null>
  /** Another process in the place of one that has ended, at its address, when clients ask it again. */
  replace(ended: Api): Promise<Api>
}

export async function startFleet({ redis, kinds, cost, cache, grace = 0 }: FleetOptions): Promise<Fleet> {
  const namespace = testNamespace('load')
  const processes: AsyncDisposable[] = []
  let clients: Fleet['clients']

  async function start(name: string, kind: ApiKind, port: number): Promise<Api> {
    const process = await startProcess<ApiCalls, ApiEvents>(new URL('./api.ts', import.meta.url))
    processes.push(process)
    const told: Told[] = []
    void listen(process, told)
    const options = { name, kind, redis, port, cost, cache: { ttl: 600_000, ...cache, namespace }, grace }
    const url = await process.call('start', options)
    return { name, kind, url, process, told }
  }

  async function end({ name, url, process }: Api): Promise<number | string | null> {
    const ended = process.terminate()
    const notice = untilClear(
      async () => ((await clients.call('isOut', url)) ? undefined : 'it is asked still'),
      `clients to notice the end of ${name}`,
    )
    const [code] = await Promise.all([ended, notice.then(() => process.call('drained'))])
    return code
  }

  async function dispose(): Promise<void> {
    await Promise.all(processes.map((process) => process[Symbol.asyncDispose]()))
  }

  try {
    clients = await startProcess(new URL('./clients.ts', import.meta.url))
    processes.push(clients)
    const apis = await Promise.all(kinds.map((kind, i) => start(`${kind}-${i + 1}`, kind, 0)))
    return {
      apis,
      clients,
      end,
      async replace({ name, kind, url }) {
        const api = await start(name, kind, Number(new URL(url).port))
        await untilClear(
          async () => ((await clients.call('isOut', url)) ? 'it is not asked' : undefined),
          `clients to notice that ${name} is back`,
        )
        return api
      },
      [Symbol.asyncDispose]: dispose,
    }
  } catch (error) {
    await dispose()
    throw error
  }
}

/** Waits until all that has happened so far is in `told`. */
export async function hear(apis: readonly Api[]): Promise<void> {
  await Promise.all(apis.map(({ process }) => process.call('hear')))
}

/** ms, of the clock that all processes of this machine share. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** What a client has to know of a server. */
export function targetOf({ name, kind, url }: Api): Target {
  return { name, kind, url }
}

async function listen(process: NodeProcess<ApiCalls, ApiEvents>, told: Told[]): Promise<void> {
  try {
    for (;;) told.push(await process.next('told'))
  } catch {
    // It has ended: if nobody told it to, its disposal says so.
  }
}
