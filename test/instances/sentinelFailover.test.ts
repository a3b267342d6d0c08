import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ServerNode } from '../redis/clusterNode.ts'
import { testNamespace } from '../redis/namespace.ts'
import { startSentinel } from '../redis/sentinel.ts'
import { useCrew } from './crew.ts'
import { confirm, expectCoordination, expectNothingOld, keepAsking, leadAndFollow } from './failover.ts'

const guarded = await startSentinel()
const { addresses: sentinels, name, natMap } = guarded
afterAll(() => guarded[Symbol.asyncDispose]())
const crew = useCrew(4)
/** ms: an end that nobody could be given costs those who wait a lease. */
const CACHE = { leaseTtl: 5000, memory: {} }
const OPTIONS = { guarded: { sentinels, name, natMap }, cache: CACHE }
/** Four processes take their time to start on a busy machine. */
beforeAll(() => crew.open(OPTIONS))

interface Way {
  readonly what: string
  /** What befalls the master. */
  harm(master: ServerNode): Promise<unknown>
  /** Once it is replaced. */
  undo(master: ServerNode): Promise<void>
}

const WAYS: readonly Way[] = [
  {
    what: 'is killed, and comes back as a replica',
    harm: ({ server }) => server.kill(),
    undo: (master) => guarded.revive(master),
  },
  {
    // Nobody tells a client of it but the sentinels: its connections stay open, and nothing answers.
    what: 'stands still for so long that it is replaced, and wakes up as if it were the master',
    harm: async ({ server }) => server.pause(),
    undo: async ({ server }) => server.resume(),
  },
]

test.for(WAYS.map((way) => [way.what, way] as const))(
  'a master %s',
  { timeout: 60_000 },
  async ([, { harm, undo }]) => {
    await guarded.settled()
    const instances = await crew.open(OPTIONS)
    const [a, b, c, d] = instances
    const stored = testNamespace('stored')
    expect(await a.process.call('set', stored, 'old', 600_000, ['t'])).toBe(true)
    const { finish } = await leadAndFollow(instances, testNamespace('flight'))
    await guarded.replicated()

    const stop = keepAsking([b, c, d], testNamespace('meanwhile'))
    const master = await guarded.master()
    await harm(master)
    await guarded.replaced(master)
    // On, off with the old master, and on with the new one.
    await Promise.all(instances.map((instance) => instance.saw('inbox', { count: 3 })))
    await Promise.all(instances.map((instance) => instance.recovered()))
    await finish()
    await confirm(c, { tags: ['t'] })
    await expectNothingOld(instances, stored)
    await expectCoordination(instances)

    await undo(master)
    await expectNothingOld(instances, stored)
    await guarded.settled()
    expect(await master.role()).toBe('replica')
    await expectNothingOld(instances, stored)
    await expectCoordination(instances)
    expect(await stop()).toBeGreaterThan(0)
  },
)

test('what no replica has got is lost with its master: an old value comes back, until it is invalidated again', async () => {
  await guarded.settled()
  const instances = await crew.open({ ...OPTIONS, cache: { leaseTtl: 5000 } })
  const [a, b] = instances
  const key = testNamespace('lost')
  expect(await a.process.call('set', key, 'old')).toBe(true)
  await guarded.replicated()
  const master = await guarded.master()
  const replicas = guarded.nodes.filter((node) => node !== master)
  const [, password] = (await master.ask('CONFIG', 'GET', 'masterauth')) as [string, string]
  for (const replica of replicas) await replica.ask('CONFIG', 'SET', 'masterauth', 'wrong')
  await master.ask('CLIENT', 'KILL', 'TYPE', 'replica')
  await a.process.call('invalidate', key)
  expect(await b.process.call('get', key)).toBeUndefined()
  await master.server.kill()
  for (const replica of replicas) await replica.ask('CONFIG', 'SET', 'masterauth', password)
  await guarded.replaced(master)
  await Promise.all(instances.map((instance) => instance.recovered()))
  expect(await b.process.call('get', key)).toBe('old')
  await confirm(a, { keys: [key] })
  expect(await b.process.call('get', key)).toBeUndefined()
  await guarded.revive(master)
})
