import { expect, test } from 'vitest'
import { LONG, openPeers, type StoreSource, textOf } from './peers.ts'

/** `read` and `readMany`. */
export function reading(source: StoreSource): void {
  test('nothing is undefined', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    expect(await session.read('x')).toBeUndefined()
  })

  test('what one stored, all read, through a store of their own and through a session of the same store', async () => {
    await using peers = await openPeers(source)
    const [writer, reader] = [await peers.join(), await peers.join()]
    await writer.session.set('x', Buffer.from('hello'), LONG)
    for (const { session } of [writer, reader]) expect(textOf(await session.read('x'))).toBe('hello')
  })

  test('two sessions of one store object share its data and have inboxes of their own', async () => {
    const store = (await source.open())()
    await using peers = await openPeers({ open: () => () => store })
    const [one, two] = [await peers.join(), await peers.join()]
    const token = await one.lead('x')
    expect(await two.wait('x')).toMatchObject({ token })
    await one.session.end('x', token, { type: 'again' })
    await two.message(token)
    await peers.settle()
    expect(one.messages.filter((message) => message.token === token)).toEqual([])
  })

  test('bytes come back as they were, whatever they are', async () => {
    await using peers = await openPeers(source)
    const [{ session }, reader] = [await peers.join(), await peers.join()]
    const all = Uint8Array.from({ length: 256 }, (_, i) => i)
    const memory = new Uint8Array(1000).fill(7)
    const cases: Record<string, Uint8Array> = {
      empty: new Uint8Array(0),
      zero: Uint8Array.of(0),
      'all bytes': all,
      'line ends': Buffer.from('\r\n$5\r\n\r\n'),
      'ill-formed UTF-8': Uint8Array.of(0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80),
      'a part of a larger array': memory.subarray(100, 103),
      'a part of the pool': Buffer.from('pooled'),
      'a megabyte': Buffer.alloc(1024 * 1024, all),
    }
    for (const [id, bytes] of Object.entries(cases)) await session.set(id, bytes, LONG)
    for (const [id, bytes] of Object.entries(cases)) {
      const read = await reader.session.read(id)
      expect(read, id).toBeInstanceOf(Uint8Array)
      expect(Buffer.compare(read as Uint8Array, bytes), id).toBe(0)
    }
  })

  test('many are read in order, each as often as it was asked for, undefined where there is nothing', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    await session.set('a', Buffer.from('A'), LONG)
    await session.set('b', Buffer.from('B'), LONG)
    const all = await session.readMany(['b', 'none', 'a', 'b', ''])
    expect(all.map(textOf)).toEqual(['B', undefined, 'A', 'B', undefined])
  })

  test('many may be none', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    expect(await session.readMany([])).toEqual([])
  })

  test('many may be a thousand', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    const ids = Array.from({ length: 1000 }, (_, i) => `id:${i}`)
    await Promise.all(ids.map((id) => session.set(id, Buffer.from(id), LONG)))
    expect((await session.readMany(ids)).map(textOf)).toEqual(ids)
  })

  test('a read sees what was confirmed before it, also by another session', async () => {
    await using peers = await openPeers(source)
    const [writer, reader] = [await peers.join(), await peers.join()]
    for (let i = 0; i < 200; i++) {
      await writer.session.set('x', Buffer.from(String(i)), LONG)
      expect(textOf(await reader.session.read('x'))).toBe(String(i))
      if (i % 10 !== 0) continue
      await writer.session.remove(['x'])
      expect(await reader.session.read('x')).toBeUndefined()
    }
  })

  test('a flight is nothing to read', async () => {
    await using peers = await openPeers(source)
    const peer = await peers.join()
    await peer.lead('x')
    expect(await peer.session.read('x')).toBeUndefined()
    expect(await peer.session.readMany(['x'])).toEqual([undefined])
  })

  test('the clock goes on, and is about the same for two sessions', async () => {
    await using peers = await openPeers(source)
    const [{ session: one }, { session: two }] = [await peers.join(), await peers.join()]
    await Promise.all([one.claim('x', { token: 'x'.repeat(16), seen: 'none', lease: LONG }), two.read('x')])
    const first = one.now()
    expect(Number.isFinite(first)).toBe(true)
    expect(Math.abs(first - two.now())).toBeLessThan(200)
    await two.read('x')
    expect(one.now()).toBeGreaterThanOrEqual(first)
  })
}
