// How a server ends without losing a request, and without anybody elsewhere waiting for what it computes. Copy it.
import { once } from 'node:events'
import type { Server } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Cache } from 'atomcache'

/**
 * Resolves when all who asked are answered, or after twice the grace: what goes on then (streams, subscriptions) is cut off.
 *
 * @param drained resolves when balancers and clients send nothing new, because they were told: until then it answers as ever
 * @param grace ms that requests may take after that, before what they compute is given to another instance
 */
export async function closeInOrder(server: Server, cache: Cache, drained: Promise<unknown>, grace = 10_000) {
  // Every answer is the last one of its connection: those that are kept would go on for ever after `server.close()` too.
  server.prependListener('request', (_request, response) => response.setHeader('connection', 'close'))
  await drained
  const answered = once(server, 'close')
  server.close() // the kernel resets whoever connects just now
  const idle = setInterval(() => server.closeIdleConnections(), 100) // kept by who was answered since, and had asked before
  const within = (ms: number) => Promise.race([answered, delay(ms, undefined, { ref: false })])
  await within(grace)
  await cache.close() // gives back what is computed here still: another instance goes on now, not when the lease is over
  await within(grace) // those who asked here get it all the same
  server.closeAllConnections()
  clearInterval(idle)
}
