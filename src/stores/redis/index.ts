export type { RedisClient, RedisSource } from './source.ts'
export { redisStore } from './store.ts'
