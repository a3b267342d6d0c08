import { afterAll, beforeAll, expect, test } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { type RedisServer, startRedis } from '../../redis/server.ts'
import { provideValkey } from '../../redis/valkey.ts'
import { openPeers } from '../contract/peers.ts'
import { storeContract } from '../contract.ts'
import { DOCUMENTED, everything } from './rights.ts'

const binary = await provideValkey()

if (binary === undefined) {
  test('there is no Valkey here, and none may be fetched: nothing was tested on it', () => {
    expect(binary).toBeUndefined()
  })
} else {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis({ binary, acl: [`user atomcache on >secret resetchannels -@all ${DOCUMENTED}`] })
  })
  afterAll(() => server[Symbol.asyncDispose]())

  storeContract('Valkey', { open: () => () => redisStore(server.url) })

  test('Valkey: a user with the documented rights can do everything', async () => {
    expect(await server.client().info('server')).toContain('valkey_version:')
    const options = { port: server.port, username: 'atomcache', password: 'secret' }
    await using peers = await openPeers({ open: () => () => redisStore(options) })
    await everything(peers)
  })
}
