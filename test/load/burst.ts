import { strict as assert } from 'node:assert'
import { untilClear } from '../redis/untilClear.ts'
import { type Api, type Fleet, hear, now, targetOf } from './fleet.ts'
import { heardOf, runsOf } from './promises.ts'

/** Callers of one key on each server. */
const CALLERS = 10

/**
 * Asks all servers for one key at once, so often each that the origin, which does not return before all of them wait for it,
 * would be overrun. It runs once for each of them at most, and once for all of a kind where their Redis is well.
 */
export async function burst({ apis, clients }: Fleet, key: string): Promise<void> {
  const from = now()
  await Promise.all(apis.map(({ process }) => Promise.all([process.call('hold', key), process.call('forgetJoins')])))
  await Promise.all([clients.call('burst', apis.map(targetOf), key, CALLERS), releaseTogether(apis, key)])
  await hear(apis)
  for (const api of apis) {
    assert(
      runsOf(api, key) <= 1,
      `${api.name} ran the origin ${runsOf(api, key)} times for ${CALLERS} callers of ${key}`,
    )
  }
  if (apis.some((api) => heardOf(api, 'alone', from).length > 0)) return
  for (const kind of new Set(apis.map((api) => api.kind))) {
    const runs = runsIn(
      apis.filter((api) => api.kind === kind),
      key,
    )
    assert.equal(runs, 1, `the origin ran ${runs} times for ${key} at ${kind}, while Redis was well`)
  }
}

/** Lets the origin return when all wait for it. */
async function releaseTogether(apis: readonly Api[], key: string): Promise<void> {
  for (const { name, process } of apis) {
    await untilClear(async () => {
      const joined = await process.call('mostJoined')
      return joined >= CALLERS - 1 ? undefined : `${joined} have joined`
    }, `callers of ${key} at ${name}`)
  }
  await Promise.all(apis.map(({ process }) => process.call('release', key)))
}

function runsIn(apis: readonly Api[], key: string): number {
  return apis.reduce((sum, api) => sum + runsOf(api, key), 0)
}
