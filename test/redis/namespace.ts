import { randomBytes } from 'node:crypto'

/** A namespace nobody else has, so that tests share a server without meeting. */
export function testNamespace(name = 'test'): string {
  return `${name}-${randomBytes(6).toString('hex')}`
}
