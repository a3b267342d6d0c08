import type { Redis } from 'ioredis'

/** What a server has done since it was started, and what it holds now. */
export interface Usage {
  /** How often each command ran, also inside scripts, by its name. */
  readonly calls: ReadonlyMap<string, number>
  /** ms of processor time. */
  readonly cpu: number
  /** Bytes sent to clients. */
  readonly sent: number
  readonly clients: number
  readonly keys: number
}

export async function usageOf(client: Redis): Promise<Usage> {
  const info = `${await client.info()}\n${await client.info('commandstats')}`
  const figure = (name: string) => {
    const found = new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1]
    if (found === undefined) throw new Error(`INFO does not tell ${name}`)
    return Number(found)
  }
  const calls = [...info.matchAll(/^cmdstat_(\S+):calls=(\d+)/gm)]
  return {
    calls: new Map(calls.map(([, name = '', count]) => [name, Number(count)])),
    cpu: 1000 * (figure('used_cpu_user') + figure('used_cpu_sys')),
    sent: figure('total_net_output_bytes'),
    clients: figure('connected_clients'),
    keys: await client.dbsize(),
  }
}

/** How often clients sent one of the commands meanwhile. */
export function callsSince(before: Usage, after: Usage, names: readonly string[]): number {
  return names.reduce((sum, name) => sum + (after.calls.get(name) ?? 0) - (before.calls.get(name) ?? 0), 0)
}

/** One connection, as the server sees it. */
export interface Connected {
  readonly id: string
  /** Whether it takes messages. */
  readonly subscribed: boolean
  /** Bytes that wait for it in the server. */
  readonly output: number
}

export async function connectedTo(client: Redis): Promise<Connected[]> {
  const lines = String(await client.client('LIST')).split('\n')
  return lines.flatMap((line) => {
    const id = /^id=(\d+)/.exec(line)?.[1]
    if (id === undefined) return []
    const figure = (name: string) => Number(new RegExp(` ${name}=(\\d+)`).exec(line)?.[1] ?? 0)
    return [{ id, subscribed: figure('sub') > 0, output: figure('omem') }]
  })
}
