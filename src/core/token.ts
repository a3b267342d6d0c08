import { randomFillSync } from 'node:crypto'

/** Of a token. */
const BYTES = 12
/** Of the next tokens: many take the time of one. A process that is cloned must not be so after its first one. */
const random = Buffer.alloc(BYTES * 256)
let used = random.length

/** 96 random bits in 16 characters: unique over all instances for as long as anyone looks. */
export function newToken(): string {
  if (used === random.length) {
    randomFillSync(random)
    used = 0
  }
  used += BYTES
  return random.toString('base64url', used - BYTES, used)
}
