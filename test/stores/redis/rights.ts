import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { entryOf, LONG, newToken, type Peer, type Peers, textOf } from '../contract/peers.ts'
import { invalidate, listOf, membersOf, passed, store } from '../contract/tagged.ts'

const page = readFileSync(new URL('../../../docs/redis.md', import.meta.url), 'utf8')

/** What the page says that a user of the server needs, behind its name and password; the namespace is `shop`. */
export const DOCUMENTED = found(/^user atomcache on >secret (~shop:\* .*)$/m)
/** What it says that is needed in a cluster too. */
export const DOCUMENTED_IN_CLUSTERS = found(/In a cluster also `(.*?)`/)
/** What it says that are the fewest rights that do. */
export const DOCUMENTED_FEWEST = found(/^user atomcache on >secret (~shop:\{\* .*)$/m)

/** What the client sends, and what scripts run. HELLO and AUTH need no right. */
export const COMMANDS = [
  ...['get', 'mget', 'scan', 'zscan', 'eval', 'evalsha', 'publish', 'subscribe', 'time', 'info'],
  ...['getrange', 'exists', 'type', 'set', 'del', 'unlink', 'pttl', 'pexpire', 'persist'],
  ...['hget', 'hset', 'hdel', 'hkeys', 'hlen', 'zadd', 'zrem', 'zrangebyscore', 'zrange', 'zrank', 'zscore', 'zcard'],
]
const PLACES = '~shop:{* ~shop:tag:{* ~shop:group:{* ~shop:clock &shop:inbox:* &shop:bus'
export const FEWEST = `${PLACES} ${COMMANDS.map((name) => `+${name}`).join(' ')}`

/** Every method, every outcome and both channels, without a fault. */
export async function everything(peers: Peers): Promise<Peer[]> {
  const options = { namespace: 'shop', commandTimeout: 1000 }
  const [leader, waiter] = [await peers.join(options), await peers.join(options)]
  for (const type of ['value', 'share', 'error', 'again', 'alone'] as const) {
    const token = await leader.lead('x')
    expect((await waiter.wait('x')).token).toBe(token)
    expect(await leader.session.renew('x', token, LONG)).toBe(1)
    const entry = entryOf(token)
    const ending =
      type === 'value' ? { type, entry, ttl: LONG } : type === 'share' ? { type, entry } : { type, error: entry }
    expect(await leader.session.end('x', token, ending)).toEqual({ type: 'ok', stored: type === 'value' })
    expect((await waiter.message(token)).outcome.type).toBe(type === 'share' ? 'value' : type)
  }
  expect(await waiter.session.read('x')).toBeDefined()
  expect(await waiter.session.claim('x', { token: newToken(), seen: 'none', lease: LONG })).toEqual({ type: 'hit' })
  await leader.session.set('for ever', Buffer.from('x'), Number.POSITIVE_INFINITY)
  expect((await waiter.session.readMany(['for ever', 'y'])).map(textOf)).toEqual(['x', undefined])
  await waiter.session.remove(['x', 'for ever'])
  await leader.session.announce({ from: 'me', ids: ['x'], tags: [], all: false })
  await waiter.notice(() => true)
  await everythingOfTags(leader, waiter)
  await everythingOfPlaces(leader, waiter)
  expect([...leader.faults, ...waiter.faults]).toEqual([])
  return [leader, waiter]
}

async function everythingOfTags(leader: Peer, waiter: Peer): Promise<void> {
  const { session } = leader
  const old = await leader.lead('t')
  await waiter.wait('t')
  const token = newToken()
  const clock = await session.take('t', token, LONG)
  expect((await waiter.message(old)).outcome).toEqual({ type: 'again' })
  expect(await session.claim('t', { token, seen: 'any', lease: LONG })).toMatchObject({ clock: expect.any(Number) })
  // One whose life is over, to be dropped; one that makes the index stay for ever.
  await session.index('t', ['a', 'b'], LONG)
  await session.index('over', ['a', 'b'], 1)
  await passed(session, 20)
  expect(await session.index('t', ['a', 'b'], Number.POSITIVE_INFINITY)).toBe(0)
  expect(await session.end('t', token, { type: 'value', entry: entryOf(token), ttl: LONG })).toMatchObject({
    stored: true,
  })
  expect(await membersOf(session, 'a')).toEqual(['t'])
  expect(await listOf(session)).toEqual({ ids: ['t'], tags: ['a', 'b'] })
  expect(await invalidate(session, 'a')).toBeGreaterThan(clock)
  expect(await store(session, 't', ['a'])).toBeGreaterThan(clock)
  await invalidate(session, 'a')
  await invalidate(session, 'b')
  expect(await listOf(session)).toEqual({ ids: [], tags: [] })
}

async function everythingOfPlaces(leader: Peer, waiter: Peer): Promise<void> {
  const [first, second] = [newToken(), newToken()]
  const token = await leader.lead('p')
  await waiter.wait('p')
  await leader.session.renew('p', token, LONG, true)
  expect((await waiter.message(token)).outcome).toEqual({ type: 'queued' })
  expect(await leader.session.enter('g', first, 1, LONG)).toMatchObject({ ahead: 0 })
  expect(await waiter.session.enter('g', second, 1, LONG)).toMatchObject({ ahead: 1 })
  await leader.session.leave('g', first, 1)
  expect((await waiter.message(second)).outcome).toEqual({ type: 'again' })
  await waiter.session.leave('g', second, 1)
  await leader.session.end('p', token, { type: 'again' })
}

function found(pattern: RegExp): string {
  const text = pattern.exec(page)?.[1]
  if (text === undefined) throw new Error(`docs/redis.md has nothing like ${pattern}`)
  return text
}
