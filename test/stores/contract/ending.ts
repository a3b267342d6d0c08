import { expect, test } from 'vitest'
import { markOf } from '../../../src/core/entry.ts'
import type { Ending, Outcome } from '../../../src/index.ts'
import { entryOf, LONG, newToken, openPeers, type StoreSource, textOf } from './peers.ts'

const token = newToken()
const entry = entryOf(token, 'the value')
const error = Buffer.from([0, 255, 10, 13])

/** Every ending, what it stores, and what the waiters are told. */
const ENDINGS: { ending: Ending; stored: boolean; outcome: Outcome }[] = [
  { ending: { type: 'value', entry, ttl: LONG }, stored: true, outcome: { type: 'value', entry } },
  { ending: { type: 'share', entry }, stored: false, outcome: { type: 'value', entry } },
  { ending: { type: 'error', error }, stored: false, outcome: { type: 'error', error } },
  {
    ending: { type: 'error', error: Buffer.alloc(0) },
    stored: false,
    outcome: { type: 'error', error: Buffer.alloc(0) },
  },
  { ending: { type: 'again' }, stored: false, outcome: { type: 'again' } },
  { ending: { type: 'alone' }, stored: false, outcome: { type: 'alone' } },
]

/** `end`: what it stores, and whom it tells what. */
export function ending(source: StoreSource): void {
  test.each(ENDINGS)('$ending.type: the entry, the flight, and a message to exactly the waiters', async (row) => {
    await using peers = await openPeers(source)
    const [leader, one, two, bystander] = [
      await peers.join(),
      await peers.join(),
      await peers.join(),
      await peers.join(),
    ]
    await leader.session.claim('x', { token, seen: 'none', lease: LONG })
    const other = await bystander.lead('other')
    await bystander.wait('other')
    await Promise.all([one.wait('x'), two.wait('x')])

    expect(await leader.session.end('x', token, row.ending)).toEqual({ type: 'ok', stored: row.stored })
    for (const waiter of [one, two]) {
      const message = await waiter.message(token)
      expect(message.id).toBe('x')
      expect(plain(message.outcome)).toEqual(plain(row.outcome))
    }
    expect(textOf(await one.session.read('x'))).toBe(row.stored ? textOf(entry) : undefined)
    expect(await leader.session.renew('x', token, LONG)).toBe('lost')
    await peers.settle()
    for (const peer of [leader, bystander]) expect(peer.messages.filter(({ id }) => id === 'x')).toEqual([])
    expect(await bystander.session.renew('other', other, LONG)).toBe(1)
  })

  test.each(ENDINGS)('$ending.type without waiters tells nobody and frees the key', async (row) => {
    await using peers = await openPeers(source)
    const [leader, other] = [await peers.join(), await peers.join()]
    await leader.session.claim('x', { token, seen: 'none', lease: LONG })
    expect(await leader.session.end('x', token, row.ending)).toEqual({ type: 'ok', stored: row.stored })
    await peers.settle()
    expect([...leader.messages, ...other.messages].filter(({ id }) => id === 'x')).toEqual([])
    await other.lead('x')
  })

  test('what is not stored leaves the entry before it as it is', async () => {
    await using peers = await openPeers(source)
    const leader = await peers.join()
    const before = entryOf(newToken(), 'before')
    await leader.session.set('x', before, LONG)
    for (const row of ENDINGS.filter(({ stored }) => !stored)) {
      await leader.session.end('x', await leader.lead('x'), row.ending)
      expect(textOf(await leader.session.read('x'))).toBe(textOf(before))
    }
  })

  test('what outdates the entry before it takes that with it, and nothing that is of another type or flight', async () => {
    await using peers = await openPeers(source)
    const [leader, waiter] = [await peers.join(), await peers.join()]
    for (const ending of [
      { type: 'share', entry: entryOf(newToken(), 'shared'), outdates: true },
      { type: 'alone', outdates: true },
      { type: 'error', error: Buffer.from('{}'), outdates: true },
    ] as const satisfies Ending[]) {
      const before = entryOf(newToken(), 'before')
      await leader.session.set('x', before, LONG)
      expect(await leader.session.end('x', newToken(), ending)).toEqual({ type: 'fenced' })
      expect(textOf(await leader.session.read('x'))).toBe(textOf(before))
      const token = await leader.lead('x')
      await waiter.wait('x')
      expect(await leader.session.end('x', token, ending)).toEqual({ type: 'ok', stored: false })
      expect((await waiter.message(token)).outcome.type).toBe(ending.type === 'share' ? 'value' : ending.type)
      expect(await leader.session.read('x')).toBeUndefined()
    }
  })

  test('who waits for the second flight of an entry with stamp has the second value', async () => {
    await using peers = await openPeers(source)
    const [leader, waiter] = [await peers.join(), await peers.join()]
    for (let round = 0; round < 5; round++) {
      const stamp = await leader.lead('x')
      await waiter.wait('x')
      const value = entryOf(stamp, `round ${round}`)
      await leader.session.end('x', stamp, { type: 'value', entry: value, ttl: LONG })
      expect(plain((await waiter.message(stamp)).outcome)).toEqual({ type: 'value', bytes: textOf(value) })
      expect(textOf(await waiter.session.read('x'))).toBe(textOf(value))
    }
  })

  test('an end that ran before says ok, and changes and tells nothing', async () => {
    await using peers = await openPeers(source)
    const [leader, waiter] = [await peers.join(), await peers.join()]
    const stamp = await leader.lead('x')
    await waiter.wait('x')
    const value: Ending = { type: 'value', entry: entryOf(stamp), ttl: LONG }
    await leader.session.end('x', stamp, value)
    await waiter.message(stamp)
    expect(await leader.session.end('x', stamp, value)).toEqual({ type: 'ok', stored: true })
    await peers.settle()
    expect(waiter.messages.filter((message) => message.token === stamp)).toHaveLength(1)
  })

  test('an end that ran before does not touch the flight that follows', async () => {
    await using peers = await openPeers(source)
    const [leader, successor, waiter] = [await peers.join(), await peers.join(), await peers.join()]
    const stamp = await leader.lead('x')
    const value = entryOf(stamp)
    await leader.session.end('x', stamp, { type: 'value', entry: value, ttl: LONG })
    const next = newToken()
    await successor.session.claim('x', { token: next, seen: markOf(value), lease: LONG })
    await waiter.wait('x')
    const changed = entryOf(stamp, 'changed')
    for (const again of [{ type: 'value', entry: changed, ttl: LONG }, { type: 'alone' }] satisfies Ending[]) {
      expect(await leader.session.end('x', stamp, again)).toMatchObject({ type: 'ok' })
    }
    expect(textOf(await leader.session.read('x'))).toBe(textOf(value))
    expect(await successor.session.renew('x', next, LONG)).toBe(1)
    await peers.settle()
    expect(waiter.messages.filter(({ id }) => id === 'x')).toEqual([])
  })

  test('a flight that ended without an entry is fenced when it ends again', async () => {
    await using peers = await openPeers(source)
    const leader = await peers.join()
    for (const row of ENDINGS.filter(({ stored }) => !stored)) {
      const mine = await leader.lead('x')
      await leader.session.end('x', mine, row.ending)
      expect(await leader.session.end('x', mine, row.ending)).toEqual({ type: 'fenced' })
    }
  })

  test('who never led is fenced, and what was there stays', async () => {
    await using peers = await openPeers(source)
    const [leader, stranger] = [await peers.join(), await peers.join()]
    const before = entryOf(newToken(), 'before')
    await leader.session.set('x', before, LONG)
    await leader.session.set('no flight', before, LONG)
    const mine = await leader.lead('x')
    await stranger.wait('x')
    for (const row of ENDINGS) {
      for (const id of ['x', 'no flight']) {
        expect(await stranger.session.end(id, newToken(), row.ending)).toEqual({ type: 'fenced' })
      }
    }
    expect((await leader.session.readMany(['x', 'no flight'])).map(textOf)).toEqual([textOf(before), textOf(before)])
    expect(await leader.session.renew('x', mine, LONG)).toBe(1)
    await peers.settle()
    expect(stranger.messages.filter(({ id }) => id === 'x')).toEqual([])
  })

  test('bytes of somebody else that hold the token behind another magic are no stamp', async () => {
    await using peers = await openPeers(source)
    const leader = await peers.join()
    const mine = newToken()
    await leader.session.set('x', Buffer.from(`zzzz${mine} and more`), LONG)
    expect(await leader.session.end('x', mine, { type: 'again' })).toEqual({ type: 'fenced' })
  })
}

/** An outcome that can be compared, whichever kind of Uint8Array it holds. */
export function plain(outcome: Outcome): object {
  switch (outcome.type) {
    case 'value':
      return { type: 'value', bytes: textOf(outcome.entry) }
    case 'error':
      return { type: 'error', bytes: textOf(outcome.error) }
    default:
      return outcome
  }
}
