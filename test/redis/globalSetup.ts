import type { TestProject } from 'vitest/node'
import { offerCluster } from './clusterSource.ts'
import { obtainRedis, provideServerBinary } from './source.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The Redis all test files share; each test keeps to a namespace of its own. */
    redisUrl: string
    /** Where `sharedCluster` asks for the cluster that all test files share. */
    clusterOffer: number
  }
}

/**
 * Runs once before all test files: one shared Redis, one shared cluster for whoever asks for it, and a binary for the
 * tests that kill and pause their own.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const redis = await obtainRedis()
  // Before the tests, because here nobody else asks apt at the same time. If there is none, `startRedis` says so.
  await provideServerBinary()
  console.log(`Redis: ${new URL(redis.url).host}, from ${redis.from}`)
  project.provide('redisUrl', redis.url)
  const cluster = await offerCluster()
  project.provide('clusterOffer', cluster.port)
  return async () => {
    await Promise.all([redis.stop(), cluster.stop()])
  }
}
