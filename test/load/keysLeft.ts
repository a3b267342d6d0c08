import { strict as assert } from 'node:assert'
import type { Redis } from 'ioredis'
import { TAGS } from './mixture.ts'
import { LEASE, TTL } from './soakOptions.ts'

/** What is in Redis, by what it is. */
export interface KeysLeft {
  /** Of tags: which ids have it. */
  readonly indexes: number
  /** Of tags: when they were invalidated. */
  readonly states: number
  readonly clocks: number
  /** Names of all others: values and flights. */
  readonly others: readonly string[]
}

/** Those of the mixture, and that of the tRPC procedure. */
const MOST_TAGS = TAGS.length + 1
const DAY = 24 * 60 * 60 * 1000
/** ms that an index outlives its members. */
const INDEX_SLACK = 60_000

/** @throws where what there is of tags is more than there are tags, or lives longer than it may */
export async function keysLeft(client: Redis): Promise<KeysLeft> {
  const names = await client.keys('*') // a server of the test's own
  const [indexes, states, clocks] = [/:tag:\{.*\}:entries$/, /:tag:\{.*\}:state$/, /:clock$/].map((kind) =>
    names.filter((name) => kind.test(name)),
  ) as [string[], string[], string[]]
  assert(Math.max(indexes.length, states.length) <= MOST_TAGS && clocks.length <= 1, `too many: ${names.join(', ')}`)
  await expectEnd(client, indexes, TTL + LEASE + INDEX_SLACK)
  await expectEnd(client, states, DAY)
  const known = new Set([...indexes, ...states, ...clocks])
  return {
    indexes: indexes.length,
    states: states.length,
    clocks: clocks.length,
    others: names.filter((name) => !known.has(name)),
  }
}

async function expectEnd(client: Redis, names: readonly string[], most: number): Promise<void> {
  for (const name of names) {
    const left = await client.pttl(name)
    assert(left !== -1 && left <= most, `${name} lives for ${left} ms, and may for ${most}`)
  }
}
