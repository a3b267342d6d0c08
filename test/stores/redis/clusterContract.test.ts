import { Cluster } from 'ioredis'
import { Cluster as Cluster5 } from 'ioredis5'
import { afterAll, beforeAll } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { sharedCluster } from '../../redis/sharedCluster.ts'
import { storeContract } from '../contract.ts'

let client: Cluster
let client5: Cluster5

beforeAll(async () => {
  const nodes = await sharedCluster()
  client = new Cluster(nodes)
  client5 = new Cluster5(nodes)
})

afterAll(() => {
  client.disconnect()
  client5.disconnect()
})

storeContract('Redis Cluster through a client of ioredis 6', { open: () => () => redisStore(client) })

storeContract('Redis Cluster through a client of ioredis 5', { open: () => () => redisStore(client5) })
