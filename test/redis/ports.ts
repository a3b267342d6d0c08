import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/** How far above its port a node's bus is, in every Redis before and after `cluster-port`. */
export const BUS = 10_000

/**
 * A port that is free, and so is every other one at these offsets. All of them are below the range from which the
 * system takes the ports of outgoing connections: one of those could take it while the server is down, or a client that
 * reconnects in vain could even connect to itself. Buses are above all servers, which for the same reason never meet.
 */
export async function freePort(offsets: readonly number[] = [0]): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, offsets.includes(BUS) ? 22_700 : 30_000)
    const free = await Promise.all(offsets.map((offset) => isFree(port + offset)))
    if (free.every(Boolean)) return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const free = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => resolve(true))
  })
  await new Promise((resolve) => server.close(resolve))
  return free
}
