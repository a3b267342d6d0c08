import { describe, expect, inject, test } from 'vitest'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { namesOf } from '../../../src/stores/redis/keys.ts'
import { inScript, watchCommands } from '../../redis/monitor.ts'
import { startRedis } from '../../redis/server.ts'
import { entryOf, LONG, newToken, openPeers, type Peer, textOf } from '../contract/peers.ts'
import { invalidate, membersOf, store } from '../contract/tagged.ts'

describe('where the server forgets its scripts', () => {
  test('between any two commands, all go on as ever', async () => {
    await using server = await startRedis()
    const inspector = server.client()
    await using peers = await openPeers({ open: () => () => redisStore(server.url) })
    const [leader, waiter] = [await peers.join(), await peers.join()]
    const forget = () => inspector.script('FLUSH')
    for (const type of ['value', 'again'] as const) {
      await forget()
      const token = await leader.lead('x')
      await forget()
      expect((await waiter.wait('x')).token).toBe(token)
      await forget()
      expect(await leader.session.renew('x', token, LONG)).toBe(1)
      await forget()
      const ending = type === 'value' ? { type, entry: entryOf(token), ttl: LONG } : { type }
      expect(await leader.session.end('x', token, ending)).toMatchObject({ type: 'ok' })
      expect((await waiter.message(token)).outcome.type).toBe(type)
      await forget()
      expect(await leader.session.end('x', newToken(), { type: 'alone' })).toEqual({ type: 'fenced' })
      await forget()
      await leader.session.set('x', entryOf(newToken()), LONG)
      await forget()
      await leader.session.remove(['x'])
    }
    expect([...leader.faults, ...waiter.faults]).toEqual([])
  })

  test('under load, every claim is answered and exactly one leads', async () => {
    await using server = await startRedis()
    const inspector = server.client()
    await using peers = await openPeers({ open: () => () => redisStore(server.url) })
    const all = [await peers.join(), await peers.join()]
    for (let round = 0; round < 20; round++) {
      const claims = Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          (all[i % 2] as Peer).session.claim(`x:${round}`, { token: newToken(), seen: 'none', lease: LONG }),
        ),
      )
      const flushes = Promise.all(Array.from({ length: 5 }, () => inspector.script('FLUSH')))
      const types = (await claims).map(({ type }) => type)
      await flushes
      expect(types.filter((type) => type === 'lead')).toHaveLength(1)
    }
  })
})

describe('where the server forgets its scripts again and again', () => {
  test('values with tags are written and invalidated as ever', async () => {
    await using server = await startRedis()
    const inspector = server.client()
    await using peers = await openPeers({ open: () => () => redisStore(server.url) })
    const [one, two] = [await peers.join(), await peers.join()]
    let over = false
    let flushes = 0
    const forget = async () => {
      for (; !over; flushes++) await inspector.script('FLUSH')
    }
    const write = async ({ session }: Peer, id: string) => {
      const token = newToken()
      const clock = await session.take(id, token, LONG)
      expect(await session.index(id, ['a', `of ${id}`], LONG)).toBeLessThanOrEqual(clock)
      const ended = await session.end(id, token, { type: 'value', entry: entryOf(token), ttl: LONG })
      expect(ended).toEqual({ type: 'ok', stored: true })
    }
    const forgetting = forget()
    const ids = Array.from({ length: 60 }, (_, i) => `x:${i}`).sort()
    for (let round = 0; round < 5; round++) {
      await Promise.all(ids.map((id, i) => write(i % 2 === 0 ? one : two, id)))
      expect(await membersOf(one.session, 'a')).toEqual(ids)
      await Promise.all(ids.slice(0, 10).map((id, i) => invalidate((i % 2 === 0 ? one : two).session, `of ${id}`)))
      expect((await one.session.readMany(ids)).filter((entry) => entry !== undefined)).toHaveLength(50)
      await invalidate(two.session, 'a')
      expect((await one.session.readMany(ids)).filter((entry) => entry !== undefined)).toEqual([])
    }
    over = true
    await forgetting
    expect(flushes).toBeGreaterThan(50)
    expect([...one.faults, ...two.faults]).toEqual([])
  })
})

describe('commands', () => {
  test('a hit is one, a claim is one, a renewal is one, an end is one, whoever waits', async () => {
    await using server = await startRedis()
    await using peers = await openPeers({ open: () => () => redisStore(server.url) })
    const [leader, waiter] = [await peers.join(), await peers.join()]
    // The first of each script, which the server does not know yet.
    const warm = await leader.lead('warm')
    await leader.session.renew('warm', warm, LONG)
    await leader.session.end('warm', warm, { type: 'value', entry: entryOf(warm), ttl: LONG })
    await waiter.wait('warm').catch(() => undefined)

    const counted: Record<string, string[]> = {}
    async function count(name: string, call: () => Promise<unknown>): Promise<void> {
      await using watch = await watchCommands(server.url)
      await call()
      const sent = (await watch.stop()).filter((record) => !inScript(record))
      counted[name] = sent.map(({ args }) => args[0]?.toLowerCase() ?? '')
    }
    let token = ''
    // The first call of a script on a connection is an EVAL.
    await leader.session.remove(['x'])
    await leader.session.take('warm', newToken(), LONG)
    await store(leader.session, 'warm', ['a'])
    const clock = await invalidate(leader.session, 'a')
    await count('miss', () => leader.session.read('x'))
    await count('lead', async () => {
      token = await leader.lead('x')
    })
    await count('wait', () => waiter.wait('x'))
    await count('renew', () => leader.session.renew('x', token, LONG))
    await count('end', async () => {
      await leader.session.end('x', token, { type: 'value', entry: entryOf(token), ttl: LONG })
      await waiter.message(token)
    })
    await count('hit', () => waiter.session.read('x'))
    await count('many', () => waiter.session.readMany(['x', 'y', 'z']))
    await count('set', () => leader.session.set('x', entryOf(newToken()), LONG))
    await count('remove', () => leader.session.remove(['x']))
    await count('announce', () => leader.session.announce({ from: 'me', ids: ['x', 'y'], tags: [], all: false }))
    const many = Array.from({ length: 50 }, (_, i) => `x:${i}`)
    await count('remove many', () => leader.session.remove(many))
    await count('take', () => leader.session.take('x', newToken(), LONG))
    await count('index', () => leader.session.index('x', many, LONG))
    await count('step', () => leader.session.step())
    await count('mark', () => leader.session.mark('a', clock))
    await count('members', () => leader.session.members('a'))
    await count('sweep', () => leader.session.sweep('a', clock))
    await count('list', () => leader.session.list())
    expect(counted).toEqual({
      miss: ['get'],
      lead: ['evalsha'],
      wait: ['evalsha'],
      renew: ['evalsha'],
      end: ['evalsha'],
      hit: ['get'],
      many: ['mget'],
      set: ['evalsha'],
      remove: ['evalsha'],
      announce: ['publish'],
      'remove many': ['evalsha'],
      take: ['evalsha'],
      index: ['evalsha'],
      step: ['evalsha'],
      mark: ['evalsha'],
      members: ['zscan'],
      sweep: ['evalsha'],
      list: ['scan'],
    })
  })

  test('a script touches only the keys it declares, and a claim does not read the value', async () => {
    await using server = await startRedis()
    await using peers = await openPeers({ open: () => () => redisStore(server.url) })
    const [leader, waiter] = [await peers.join(), await peers.join()]
    await leader.session.set('x', entryOf(newToken(), Buffer.alloc(10_000)), LONG)
    await using watch = await watchCommands(server.url)
    const token = await leader.lead('x')
    await waiter.wait('x')
    await leader.session.renew('x', token, LONG)
    await leader.session.end('x', token, { type: 'value', entry: entryOf(token), ttl: LONG })
    await leader.session.remove(['x'])
    const records = (await watch.stop()).filter(inScript)
    const { namespace } = peers
    const keys = [`${namespace}:{x}`, `${namespace}:{x}:flight`, `${namespace}:clock`]
    const allowed = new Set([...keys, `${namespace}:inbox:${waiter.instanceId}`])
    for (const { args } of records) {
      const [name, key] = args as [string, string?]
      if (name !== 'TIME') expect(allowed, args.join(' ')).toContain(key)
      if (name === 'GET') expect(key).toBe(`${namespace}:clock`)
    }
    expect(records.length).toBeGreaterThan(10)
  })
})

describe('commands of tags', () => {
  test('touch only the keys that they declare: of an id, of a tag, or the clock', async () => {
    await using server = await startRedis()
    await using peers = await openPeers({ open: () => () => redisStore(server.url) })
    const [peer, waiter] = [await peers.join(), await peers.join()]
    const { session } = peer
    const names = namesOf(peers.namespace)
    const inbox = names.inbox(waiter.instanceId)
    await peer.lead('x')
    await waiter.wait('x')

    const ofId = [names.entry('x'), names.flight('x')]
    const ofTags = ['a', 'b'].flatMap((tag) => [names.index(tag), names.state(tag)])
    let clock = 0
    const calls: [name: string, keys: string[], call: () => Promise<unknown>][] = [
      ['take', [...ofId, names.clock, inbox], () => session.take('x', newToken(), LONG)],
      ['index', ofTags, () => session.index('x', ['a', 'b'], LONG)],
      ['step', [names.clock], async () => (clock = await session.step())],
      ['mark', [names.state('a')], () => session.mark('a', clock)],
      ['remove', ofId, () => session.remove(['x'])],
      ['sweep', [names.index('a'), names.state('a')], () => session.sweep('a', clock)],
    ]
    for (const [name, keys, call] of calls) {
      await using watch = await watchCommands(server.url)
      await call()
      const records = (await watch.stop()).filter(inScript).filter(({ args }) => args[0] !== 'TIME')
      expect(records.length, name).toBeGreaterThan(0)
      for (const { args } of records) expect(keys, `${name}: ${args.join(' ')}`).toContain(args[1])
    }
  })
})

describe('a message', () => {
  const INLINE = 1024 * 1024

  test.each([1, 3])('holds the value up to a mebibyte for all of %d waiters together', async (waiters) => {
    await using peers = await openPeers({ open: () => () => redisStore(inject('redisUrl')) })
    const leader = await peers.join()
    const all: Peer[] = []
    for (let i = 0; i < waiters; i++) all.push(await peers.join())
    const largest = Math.floor(INLINE / waiters)
    for (const [size, outcome, share] of [
      [largest, 'value', 'value'],
      [largest + 1, 'ready', 'alone'],
    ] as const) {
      for (const type of ['value', 'share'] as const) {
        const token = await leader.lead('x')
        for (const waiter of all) await waiter.wait('x')
        const entry = Buffer.alloc(size, `atc1${token}`)
        await leader.session.end('x', token, type === 'value' ? { type, entry, ttl: LONG } : { type, entry })
        for (const waiter of all) {
          const told = (await waiter.message(token)).outcome
          expect(told.type).toBe(type === 'value' ? outcome : share)
          if (told.type === 'value') expect(textOf(told.entry) === textOf(entry)).toBe(true)
        }
      }
    }
  })
})
