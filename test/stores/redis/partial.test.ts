import { Cluster } from 'ioredis'
import { describe, expect, test } from 'vitest'
import type { RedisSource } from '../../../src/stores/redis/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { startCluster } from '../../redis/cluster.ts'
import { startRedis } from '../../redis/server.ts'
import { entryOf, LONG, newToken, openPeers } from '../contract/peers.ts'
import { DOCUMENTED, DOCUMENTED_IN_CLUSTERS } from './rights.ts'

/** The user may do all with ids that begin with `mine`, and nothing with any other. */
const RIGHTS = `on >secret resetchannels -@all ${DOCUMENTED} ${DOCUMENTED_IN_CLUSTERS}`.replace(
  '~shop:*',
  '~shop:{mine* ~shop:clock',
)
const LOGIN = { username: 'partly', password: 'secret' }

const ids = (word: string, count: number) => Array.from({ length: count }, (_, i) => `${word}:${i}`)

/** Removes ids of both kinds, in this order: what is left, and what the error says. */
async function removeSome(allowed: RedisSource, partly: RedisSource, all: readonly string[]) {
  const whole = await openPeers({ open: () => () => redisStore(allowed) })
  const part = await openPeers({ open: () => () => redisStore(partly) })
  const witness = await whole.join({ namespace: 'shop' })
  const remover = await part.join({ namespace: 'shop' })
  await Promise.all(all.map((id) => witness.session.set(id, entryOf(newToken()), LONG)))
  const error = await remover.session.remove(all).then(
    () => undefined,
    (reason: unknown) => reason as { code: string; ids: readonly string[]; cause: unknown },
  )
  const entries = await witness.session.readMany(all)
  await part[Symbol.asyncDispose]()
  await whole[Symbol.asyncDispose]()
  return { error, left: all.filter((_, i) => entries[i] !== undefined) }
}

describe('a removal of which a part fails', () => {
  test('on a single server rejects with the ids of that part, and the rest is removed', async () => {
    await using server = await startRedis({ acl: [`user partly ${RIGHTS}`] })
    const all = [...ids('mine', 50), ...ids('theirs', 50), ...ids('mine too', 20)]
    const { error, left } = await removeSome(server.url, { port: server.port, ...LOGIN }, all)
    expect(error).toMatchObject({ name: 'StoreError', code: 'REFUSED', ids: ids('theirs', 50) })
    expect(String(error)).toContain('NOPERM')
    expect(left).toEqual(ids('theirs', 50))
  })

  test('in a cluster rejects with just the ids that it failed for', async () => {
    await using cluster = await startCluster({ replicas: 0 })
    const rights = RIGHTS.split(' ')
    await Promise.all(cluster.nodes.map((node) => node.ask('ACL', 'SETUSER', 'partly', ...rights)))
    const client = new Cluster([...cluster.startupNodes], { redisOptions: LOGIN, lazyConnect: true })
    const all = ids('mine', 30).flatMap((id, i) => (i % 3 === 0 ? [id, `theirs:${i}`] : [id]))
    const { error, left } = await removeSome(cluster.client(), client, all)
    const theirs = all.filter((id) => id.startsWith('theirs'))
    expect(error).toMatchObject({ name: 'StoreError', code: 'REFUSED', ids: theirs })
    expect(left).toEqual(theirs)
  })
})
