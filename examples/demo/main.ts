import { startFleet } from './fleet.ts'
import { burst } from './load.ts'
import { startOrigin } from './origin.ts'
import { findRedis } from './redis.ts'
import { coldKey, death, failure, invalidation, warmKey } from './scenes.ts'
import { createStage } from './stage.ts'

/** ms: the demo takes about ten seconds; something hangs. */
const LIMIT = 120_000

// What `exit` handlers end are the servers; our Redis ends with its guard.
process.once('SIGINT', () => process.exit(130))
process.once('SIGTERM', () => process.exit(143))
process.once('SIGHUP', () => process.exit(129))
setTimeout(() => {
  console.error(`The demo did not end within ${LIMIT / 1000} seconds.`)
  process.exit(1)
}, LIMIT).unref()

try {
  process.exitCode = await play()
} catch (error) {
  console.error(`The demo could not go on: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}

async function play(): Promise<number> {
  await using redis = await findRedis()
  await using origin = await startOrigin()
  await using fleet = await startFleet(origin.url, redis?.url)
  const stage = createStage(fleet, origin)
  const cast = { stage, fleet, origin, apart: redis !== undefined }

  console.log('atomcache: one computation over many servers')
  console.log()
  console.log('Three GraphQL Yoga servers and a tRPC server, each with a cache of its own, answer from the same')
  console.log('origin, which takes a second for every query and counts the queries that really reach it.')
  console.log()
  if (redis !== undefined) {
    console.log(`Four processes, on the Redis of ${redis.from}.`)
    console.log('(Without REDIS_URL and without a redis-server on the PATH: one process, one memory store.)')
  } else {
    console.log('All in this process, on one memoryStore(): there is no Redis here.')
    console.log('(For four processes on a Redis: set REDIS_URL, or put redis-server or valkey-server on the PATH.)')
  }
  console.log()
  console.log('  joined  requests that shared the wait of another one in the same server')
  console.log('  hits    requests that found the value in the store')
  console.log('  runs    of the resolver: queries that reached the origin, as the origin counts them')

  // No scene is to measure how Node.js loads code.
  await burst(fleet.servers, 25, (client) => client.country('CHE'))
  origin.forget()

  await coldKey(cast)
  await warmKey(cast)
  await invalidation(cast)
  await failure(cast)
  await death(cast)

  const { requests, runs, failures } = stage.close()
  console.log()
  if (failures.length > 0) {
    console.log('The demo failed:')
    for (const line of failures) console.log(`  ${line}`)
    return 1
  }
  console.log(`${requests} requests, ${runs} runs of a resolver, and every answer was right.`)
  return 0
}
