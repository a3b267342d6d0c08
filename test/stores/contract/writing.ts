import { expect, test } from 'vitest'
import { plain } from './ending.ts'
import { entryOf, LONG, newToken, openPeers, type StoreSource, textOf } from './peers.ts'

/** `set` and `remove`: writes without a flight of one's own. */
export function writing(source: StoreSource): void {
  test('a set needs no flight, and leaves none', async () => {
    await using peers = await openPeers(source)
    const { session, lead } = await peers.join()
    const entry = entryOf(newToken())
    await session.set('x', entry, LONG)
    expect(textOf(await session.read('x'))).toBe(textOf(entry))
    await lead('x')
  })

  test('a set ends the flight there is: its waiters have the value under its token, its leader is fenced', async () => {
    await using peers = await openPeers(source)
    const [leader, waiter, writer] = [await peers.join(), await peers.join(), await peers.join()]
    const token = await leader.lead('x')
    await waiter.wait('x')
    const entry = entryOf(newToken(), 'set')
    await writer.session.set('x', entry, LONG)
    const message = await waiter.message(token)
    expect(message.id).toBe('x')
    expect(plain(message.outcome)).toEqual({ type: 'value', bytes: textOf(entry) })
    const late = entryOf(token, 'late')
    expect(await leader.session.end('x', token, { type: 'value', entry: late, ttl: LONG })).toEqual({ type: 'fenced' })
    expect(textOf(await waiter.session.read('x'))).toBe(textOf(entry))
    await peers.settle()
    for (const peer of [leader, writer]) expect(peer.messages.filter(({ id }) => id === 'x')).toEqual([])
  })

  test('a set replaces what is there, ours or not', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    for (const bytes of [Buffer.from('foreign'), entryOf(newToken()), Buffer.alloc(0), entryOf(newToken())]) {
      await session.set('x', bytes, LONG)
      expect(textOf(await session.read('x'))).toBe(textOf(bytes))
    }
  })

  test('the last of many sets is what stays', async () => {
    await using peers = await openPeers(source)
    const all = [await peers.join(), await peers.join(), await peers.join()]
    const sets = Array.from({ length: 90 }, (_, i) =>
      all[i % 3]?.session.set('x', entryOf(newToken(), String(i)), LONG),
    )
    await Promise.all(sets)
    const answers = await Promise.all(all.map(async ({ session }) => textOf(await session.read('x'))))
    expect(new Set(answers).size).toBe(1)
  })

  test('a removed entry is gone for all', async () => {
    await using peers = await openPeers(source)
    const [one, two] = [await peers.join(), await peers.join()]
    await one.session.set('x', entryOf(newToken()), LONG)
    await two.session.remove(['x'])
    expect(await one.session.read('x')).toBeUndefined()
    expect(await one.session.claim('x', { token: newToken(), seen: 'none', lease: LONG })).toEqual({
      type: 'lead',
      present: 'none',
      clock: expect.any(Number),
    })
  })

  test('removing nothing is no error', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    await session.remove(['x'])
    await session.remove(['x'])
    expect(await session.read('x')).toBeUndefined()
  })

  test('a removal tells the waiters `again` under the token of the flight, and fences its leader', async () => {
    await using peers = await openPeers(source)
    const [leader, one, two, remover] = [await peers.join(), await peers.join(), await peers.join(), await peers.join()]
    await leader.session.set('x', entryOf(newToken()), LONG)
    const token = await leader.lead('x')
    await Promise.all([one.wait('x'), two.wait('x')])
    await remover.session.remove(['x'])
    for (const waiter of [one, two]) {
      expect(await waiter.message(token)).toEqual({ id: 'x', token, outcome: { type: 'again' } })
    }
    expect(await leader.session.renew('x', token, LONG)).toBe('lost')
    const entry = entryOf(token, 'begun before')
    expect(await leader.session.end('x', token, { type: 'value', entry, ttl: LONG })).toEqual({ type: 'fenced' })
    expect(await one.session.read('x')).toBeUndefined()
  })

  test('a value computed before a removal is not readable after it, in a hundred races', async () => {
    await using peers = await openPeers(source)
    const [leader, remover] = [await peers.join(), await peers.join()]
    const verdicts = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const id = `x:${i}`
        const token = await leader.lead(id)
        const end = () => leader.session.end(id, token, { type: 'value', entry: entryOf(token), ttl: LONG })
        const remove = () => remover.session.remove([id])
        const [ended] =
          i % 2 === 0 ? await Promise.all([end(), remove()]) : (await Promise.all([remove(), end()])).reverse()
        expect(await remover.session.read(id)).toBeUndefined()
        return (ended as { type: string }).type
      }),
    )
    for (const verdict of verdicts) expect(['ok', 'fenced']).toContain(verdict)
  })
}
