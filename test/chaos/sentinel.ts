import { setTimeout as delay } from 'node:timers/promises'
import { namesOf } from '../../src/stores/redis/keys.ts'
import type { Random } from '../core/schedule/random.ts'
import { type RedisSentinel, startSentinel } from '../redis/sentinel.ts'
import { untilClear } from '../redis/untilClear.ts'
import { harmTo } from './nodes.ts'
import { type Disaster, EVERYBODY, evicting, type Servers, type ServersOptions } from './servers.ts'

/** ms: a master that is silent so long is replaced, and may have lost what it had confirmed. No pause here is that long. */
const DOWN_AFTER = 3000
/** ms for which a master takes no writes before it is replaced; it ends earlier, with the master or by itself. */
const WRITES_WAIT = 60_000
/** ms: a master that was replaced, and lives, is made a replica after four times as many, as by sentinels that nobody hastens. */
const PUBLISH_PERIOD = 2000
/** ms within which each process must have left a master that was replaced, after all sentinels know: one may stand still. */
const LEAVING = 4000

type Master = Awaited<ReturnType<Guarded['master']>>
type Guarded = RedisSentinel<RedisSentinel['nodes'][number] & { readonly proxy: object }>

/**
 * A master with two replicas, behind three sentinels; every other process comes through proxies, one before each server.
 *
 * A fail-over loses what the old master has confirmed and the new one has not got yet, and what the old one confirms afterwards.
 * The first is not played, so that nothing need be forgiven: before each fail-over the master confirms no write any more,
 * and its replicas get all it has. The second is: from `LEAVING` on the old master, if it lives, takes writes again, and whoever
 * has not left it by then loses them. That is never forgiven.
 */
export async function startChaosSentinel({ namespace, ids, latencies }: ServersOptions): Promise<Servers> {
  const names = namesOf(namespace)
  const guarded = await startSentinel({ downAfter: DOWN_AFTER, publishPeriod: PUBLISH_PERIOD, proxied: true })
  const { name, addresses: sentinels, natMap, nodes } = guarded
  const { disasters, alone } = harmTo(nodes, latencies)
  let master = await guarded.master()
  /** Whether it is known which one has the keys. */
  let sure = true

  /** Rejects where the sentinels have replaced a master by themselves: what was lost then nobody knows. */
  async function checked(): Promise<Master> {
    await guarded.settled()
    if ((await guarded.master()) === master) return master
    throw new Error(`The sentinels have replaced ${master.url}, which nobody had harmed: the machine is too busy.`)
  }

  /** Nothing that was confirmed is lost: no write is confirmed any more, and the replicas have all, before `harm` is done. */
  function replacing(harm: (old: Master) => Promise<void>, undo: (old: Master) => Promise<void>): Disaster {
    return alone(
      async () => {
        const old = await checked()
        await old.ask('CLIENT', 'PAUSE', WRITES_WAIT, 'WRITE')
        await guarded.replicated()
        sure = false
        await harm(old)
        master = await guarded.replaced(old)
        sure = true
        await undo(old)
        return EVERYBODY
      },
      () => guarded.settled(),
    )
  }

  return {
    kind: 'sentinel',
    targetOf: (place) => ({ type: 'sentinel', name, sentinels, natMap: place % 2 === 0 ? natMap : {} }),
    async look(some) {
      const looked = master
      if (!sure) throw new Error('It is not known who the master is.')
      const found = (await looked.askBuffer('MGET', ...some.map(names.entry))) as (Buffer | null)[]
      if (!sure || looked !== master) throw new Error('It was replaced meanwhile.')
      return found
    },
    disasters: {
      ...disasters,
      evict: evicting(ids, names, (key) => master.ask('UNLINK', key)),
      pauseRedis: alone(async (random) => {
        const { server } = await checked()
        await pausing(server, random, 50, 600)
        return EVERYBODY
      }),
      pauseSentinel: alone(async (random) => {
        await pausing(random.pick(guarded.sentinels), random, 300, 2500)
        return EVERYBODY
      }),
      failOver: replacing(
        ({ server }) => server.kill(),
        (old) => guarded.revive(old),
      ),
      standStill: replacing(
        async ({ server }) => server.pause(),
        async (old) => {
          await delay(LEAVING)
          old.server.resume()
        },
      ),
      handOver: replacing(
        async (old) => void (await guarded.handover(old)),
        async (old) => {
          await left(old)
          await unpause(old)
        },
      ),
    },
    [Symbol.asyncDispose]: () => guarded[Symbol.asyncDispose](),
  }
}

async function pausing(
  server: { pause(): void; resume(): void },
  random: Random,
  least: number,
  most: number,
): Promise<void> {
  server.pause()
  await delay(least + random.next() * (most - least))
  server.resume()
}

/** Resolves when none of the processes is connected to it any more, or when each must have left it. */
async function left(old: Master): Promise<void> {
  const until = performance.now() + LEAVING
  await untilClear(async () => {
    const clients = String(await old.ask('CLIENT', 'LIST', 'TYPE', 'normal'))
    return performance.now() < until && / user=default /.test(clients) ? 'somebody is connected' : undefined
  }, 'Leaving')
}

/** Asked until it is answered: a sentinel that makes a master a replica cuts all its connections. */
async function unpause(old: Master): Promise<void> {
  await untilClear(async () => void (await old.ask('CLIENT', 'UNPAUSE')), 'Writes')
}
