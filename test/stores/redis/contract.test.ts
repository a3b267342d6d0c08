import { Redis } from 'ioredis'
import { Redis as Redis54 } from 'ioredis54'
import { afterAll, beforeAll, inject } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { storeContract } from '../contract.ts'

let client: Redis
let client54: Redis54

beforeAll(() => {
  client = new Redis(inject('redisUrl'))
  client54 = new Redis54(inject('redisUrl'))
})

afterAll(() => {
  client.disconnect()
  client54.disconnect()
})

storeContract('Redis by its URL', { open: () => () => redisStore(inject('redisUrl')) })

storeContract('Redis by options, with a keyPrefix', {
  open() {
    const { hostname: host, port, password } = new URL(inject('redisUrl'))
    const options = { host, port: Number(port || 6379), ...(password ? { password } : {}), keyPrefix: 'prefix:' }
    return () => redisStore(options)
  },
})

storeContract('Redis through a client of ioredis 6', { open: () => () => redisStore(client) })

// The lowest that may be: clients of the newest 5 stand in the contract of clusters.
storeContract('Redis through a client of ioredis 5.4', { open: () => () => redisStore(client54) })
