import { setTimeout as delay } from 'node:timers/promises'
import type { RedisServer } from '../test/redis/server.ts'

/** Bytes that a server received and sent, over all connections. */
export interface Traffic {
  readonly received: number
  readonly sent: number
}

/** What the server counts while `run` goes on, without what asking for it takes, and what `run` returns. */
export async function bytesDuring<T>(
  inspector: ReturnType<RedisServer['client']>,
  run: () => Promise<T>,
): Promise<[T, Traffic]> {
  const idle = await trafficOf(inspector)
  const before = await trafficOf(inspector)
  const result = await run()
  // What is sent behind an answer.
  await delay(10)
  const after = await trafficOf(inspector)
  // The question and its answer are part of both differences.
  const count = (of: keyof Traffic) => after[of] - before[of] - (before[of] - idle[of])
  return [result, { received: count('received'), sent: count('sent') }]
}

async function trafficOf(inspector: ReturnType<RedisServer['client']>): Promise<Traffic> {
  const stats = await inspector.info('stats')
  const figure = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(stats)?.[1])
  return { received: figure('total_net_input_bytes'), sent: figure('total_net_output_bytes') }
}
