import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import type { Store } from '../../src/index.ts'
import { redisStore } from '../../src/stores/redis/index.ts'
import { monitorOf } from '../redis/monitor.ts'
import { type RedisServer, startRedis } from '../redis/server.ts'

/** A Redis of the file's own, of which all is seen that is sent to it. */
export interface WatchedRedis {
  store(): Store
  /** Whether none of the texts is in a key's name, in any command since the test began, in the events, or in a warning. */
  expectNothingOf(texts: readonly string[], events: readonly object[]): Promise<void>
}

export function watchRedis(): WatchedRedis {
  let server: RedisServer
  let stop: () => void
  const commands: string[] = []
  const warnings: string[] = []
  const warned = (warning: Error) => warnings.push(inspect(warning))

  beforeAll(async () => {
    server = await startRedis()
    const monitor = await monitorOf(server.client())
    monitor.on('monitor', (_time: string, command: readonly string[]) => commands.push(command.join(' ')))
    stop = () => monitor.disconnect()
  })
  afterAll(async () => {
    stop()
    await server[Symbol.asyncDispose]()
  })
  beforeEach(() => {
    commands.length = 0
    warnings.length = 0
    process.on('warning', warned)
  })
  afterEach(() => {
    process.off('warning', warned)
  })

  return {
    store: () => redisStore(server.url),
    async expectNothingOf(texts, events) {
      // Warnings come with the next turn, and what Redis tells of commands in their order.
      await new Promise(setImmediate)
      const mark = crypto.randomUUID()
      await server.client().echo(mark)
      await expect.poll(() => commands.some((command) => command.includes(mark))).toBe(true)
      const keys = await server.client().keys('*')
      expect(commands.length).toBeGreaterThan(1)
      expect(keys.length).toBeGreaterThan(0)
      const seen = [...keys, ...commands, ...warnings, ...events.map((event) => inspect(event, { depth: 10 }))]
      for (const text of texts) expect(seen.filter((one) => one.includes(text))).toEqual([])
    },
  }
}
