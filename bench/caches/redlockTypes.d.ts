/** Of redlock 4, which has no types, what is used here. */
declare module 'redlock' {
  import type { Redis } from 'ioredis'

  export default class Redlock {
    constructor(clients: readonly Redis[], options?: { retryCount?: number; retryDelay?: number; retryJitter?: number })
    lock(resource: string, ttl: number): Promise<{ unlock(): Promise<void> }>
  }
}
