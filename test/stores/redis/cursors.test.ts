import { Cluster } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { startCluster } from '../../redis/cluster.ts'
import { startRedis } from '../../redis/server.ts'
import { LONG, openPeers, type Peer, until } from '../contract/peers.ts'

const MEMBERS = 2000

/**
 * A process keeps the members of a set in an order of its own, by a secret that it chooses when it starts. What a scan
 * would skip that goes on in another process nobody would invalidate.
 */
describe('a scan whose connection is lost between two pages', () => {
  async function fill({ session }: Peer): Promise<void> {
    for (let i = 0; i < MEMBERS; i++) {
      await session.set(`id:${i}`, Buffer.from('x'), LONG)
      await session.index(`id:${i}`, ['tag'], LONG)
    }
  }

  async function expectNoMore(peer: Peer, at: { readonly members: string; readonly list: string }): Promise<void> {
    await until(
      () => peer.session.members('tag').catch((error: unknown) => error),
      (answer) => !(answer instanceof Error),
      'the connection',
      10_000,
    )
    const lost = { name: 'StoreError', code: 'UNREACHABLE' }
    await expect(peer.session.members('tag', at.members)).rejects.toMatchObject(lost)
    await expect(peer.session.list(at.list)).rejects.toMatchObject(lost)
    // From the start it has all of them.
    const ids = new Set<string>()
    for (let next: string | undefined = ''; next !== undefined; ) {
      const page = await peer.session.members('tag', next === '' ? undefined : next)
      for (const id of page.ids) ids.add(id)
      next = page.next
    }
    expect(ids.size).toBe(MEMBERS)
  }

  async function firstPages({ session }: Peer) {
    const [members, list] = [await session.members('tag'), await session.list()]
    expect(members.ids.length).toBeGreaterThan(0)
    return { members: members.next as string, list: list.next as string }
  }

  test('rejects on a single server, also when it is there again', async () => {
    await using server = await startRedis()
    await using peers = await openPeers({ open: () => () => redisStore(server.url) })
    const peer = await peers.join()
    await fill(peer)
    const at = await firstPages(peer)
    await server.client().call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await expectNoMore(peer, at)
  })

  test('rejects on a cluster whose replica has taken over, which loses nothing', async () => {
    await using cluster = await startCluster()
    await using peers = await openPeers({
      open: () => () => redisStore(new Cluster([...cluster.startupNodes], { lazyConnect: true })),
    })
    const peer = await peers.join()
    await fill(peer)
    const at = await firstPages(peer)
    await cluster.handover(await cluster.ownerOf(`${peer.namespace}:tag:{tag}:entries`))
    await expectNoMore(peer, at)
  })
})
