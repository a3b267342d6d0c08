export type { RedisClient, RedisSource } from './connection.ts'
export { redisStore } from './store.ts'
