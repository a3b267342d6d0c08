import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, beforeAll, inject } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { storeContract } from '../contract.ts'

let client: Redis
let client5: Redis5

beforeAll(() => {
  client = new Redis(inject('redisUrl'))
  client5 = new Redis5(inject('redisUrl'))
})

afterAll(() => {
  client.disconnect()
  client5.disconnect()
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

storeContract('Redis through a client of ioredis 5', { open: () => () => redisStore(client5) })
