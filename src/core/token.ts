import { randomBytes } from 'node:crypto'

/** 96 random bits in 16 characters: unique over all instances for as long as anyone looks. */
export function newToken(): string {
  return randomBytes(12).toString('base64url')
}
