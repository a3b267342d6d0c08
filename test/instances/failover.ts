import { expect } from 'vitest'
import { testNamespace } from '../redis/namespace.ts'
import type { Instance } from './crew.ts'

/** ms in which all is as ever again: a client of a cluster looks every 5 s who has the slots. */
export const SOON = 20_000

/** Repeats it until it is confirmed, as its caller should. */
export async function confirm({ process }: Instance, what: { keys?: string[]; tags?: string[] }): Promise<void> {
  await expect.poll(() => process.call('unconfirmed', what), { timeout: SOON }).toBeUndefined()
}

/** Each asks again and again until the result is called: nobody's call fails, and each gets one value. */
export function keepAsking(instances: readonly Instance[], key: string): () => Promise<number> {
  let over = false
  const rounds = instances.map(async (instance) => {
    let count = 0
    for (; !over; count++) {
      const { errors, values } = await instance.ask(`${key}-${count}`, 3)
      expect([errors, values.length]).toEqual([[], 1])
    }
    return count
  })
  const all = Promise.all(rounds)
  all.catch(() => undefined) // told to who ends it
  return async () => {
    over = true
    return Math.min(...(await all))
  }
}

/** The first of them leads, until it is told to finish, and the others wait for it. */
export async function leadAndFollow(instances: readonly Instance[], key: string) {
  const [a, ...followers] = instances as [Instance, ...Instance[]]
  const led = a.ask(key, 5, { held: true, value: 'flight' })
  await a.saw('load', { key })
  const following = followers.map((follower) => follower.ask(key, 5, { value: 'flight' }))
  await Promise.all(followers.map((follower) => follower.saw('follow', { key })))
  /** Everybody is answered, and nobody ran it more than twice: once for each master. */
  const finish = async () => {
    await a.finish(key)
    for (const { values, errors } of await Promise.all([led, ...following])) {
      expect({ values, errors }).toEqual({ values: ['flight'], errors: [] })
    }
    const runs = await Promise.all(instances.map(({ process }) => process.call('runs', key)))
    for (const { count } of runs) expect(count).toBeLessThanOrEqual(2)
  }
  return { finish }
}

/** One run for all, for some new keys. */
export async function expectCoordination(
  instances: readonly Instance[],
  newKey: (namespace: string) => string | Promise<string> = (namespace) => namespace,
): Promise<void> {
  for (let i = 0; i < 3; i++) {
    const key = await newKey(testNamespace('after'))
    // Whoever has a stale view, or an inbox under way, shall first find its way.
    await Promise.all(instances.map((instance) => confirm(instance, { keys: [key] })))
    await expect
      .poll(async () => Promise.all(instances.map(async ({ process }) => (await process.call('stats')).inbox)), {
        timeout: SOON,
      })
      .toEqual(instances.map(() => true))
    const asked = await Promise.all(instances.map((instance) => instance.ask(key, 20)))
    expect(new Set(asked.flatMap(({ values }) => values)).size).toBe(1)
    const runs = await Promise.all(instances.map(({ process }) => process.call('runs', key)))
    expect(runs.map(({ count }) => count).toSorted()).toEqual([0, 0, 0, 1])
  }
}

export async function expectNothingOld(instances: readonly Instance[], key: string): Promise<void> {
  for (const { process } of instances) expect(await process.call('get', key)).not.toBe('old')
}
