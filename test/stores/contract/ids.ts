import { expect, test } from 'vitest'
import { entryOf, LONG, openPeers, type Peer, type StoreSource, textOf } from './peers.ts'

/** Ids, and tags, that could be taken for another one, or for something else that a store keeps or parses. */
export const IDS = [
  ...[
    '',
    ' ',
    'x',
    'X',
    'x ',
    ' x',
    'x:',
    ':x',
    'x:flight',
    'x}:flight',
    '{x}:flight',
    '{x}',
    'x}',
    '{x',
    '}{',
    '{}',
    '}',
  ],
  ...[
    '%',
    '%%',
    '%25',
    '%7B',
    '%7D',
    '%7Bx%7D',
    '{',
    'clock',
    'bus',
    'inbox',
    'inbox:x',
    'tag:{x}:entries',
    'tag:x:state',
  ],
  ...['leader', 'w:x', '-', '*', '=', '?', '[a]', '\\', '\\x', '"', "'", '0', '00', '1:x', 'null', 'undefined'],
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', '\0', '\0x', 'x\0', '\n', '\r\n', 'a b', 'a\tb'],
  ...['é', 'e\u0301', 'É', '\ufeff', '\u200b', '\uffff', '💡', '👩‍👩‍👧', '漢字', 'ß', 'ss', 'ſ', 'ı'],
  ...[
    'a'.repeat(255),
    'a'.repeat(256),
    '{'.repeat(256),
    '%'.repeat(256),
    '💡'.repeat(64),
    'é'.repeat(128),
    '\0'.repeat(256),
  ],
]

/** Ids and namespaces: every id is legal, and none is another. */
export function ids(source: StoreSource): void {
  test('every id has an entry of its own', async () => {
    await using peers = await openPeers(source)
    const [{ session }, reader] = [await peers.join(), await peers.join()]
    expect(new Set(IDS).size).toBe(IDS.length)
    await Promise.all(IDS.map((id, i) => session.set(id, Buffer.from(String(i)), LONG)))
    const expected = IDS.map((_, i) => String(i))
    expect((await reader.session.readMany(IDS)).map(textOf)).toEqual(expected)
    expect((await Promise.all(IDS.map((id) => reader.session.read(id)))).map(textOf)).toEqual(expected)
  })

  test('every id has a flight of its own, beside the entries of all', async () => {
    await using peers = await openPeers(source)
    const [leader, waiter] = [await peers.join(), await peers.join()]
    await Promise.all(IDS.map((id) => leader.session.set(id, Buffer.from(`old ${id}`), LONG)))
    const tokens = await Promise.all(IDS.map((id) => leader.lead(id)))
    for (const [i, id] of IDS.entries()) expect((await waiter.wait(id)).token, id).toBe(tokens[i])
    expect(await Promise.all(IDS.map((id, i) => leader.session.renew(id, tokens[i] as string, LONG)))).toEqual(
      IDS.map(() => 1),
    )
    for (const [i, id] of IDS.entries()) {
      const token = tokens[i] as string
      const entry = entryOf(token)
      expect(await leader.session.end(id, token, { type: 'value', entry, ttl: LONG })).toMatchObject({ stored: true })
      const message = await waiter.message(token)
      expect(message.id).toBe(id)
      expect(await waiter.session.read(id).then(textOf), id).toBe(textOf(entry))
    }
  })

  test('removing an id leaves all others, and their flights, alone', async () => {
    await using peers = await openPeers(source)
    const peer = await peers.join()
    const { session } = peer
    await Promise.all(IDS.map((id) => session.set(id, Buffer.from(id), LONG)))
    const tokens = await Promise.all(IDS.map((id) => peer.lead(id)))
    const left = new Set(IDS)
    for (const [i, id] of IDS.entries()) {
      await session.remove([id])
      left.delete(id)
      if (i % 8 !== 0) continue
      const all = await session.readMany(IDS)
      expect(IDS.filter((_, at) => all[at] !== undefined)).toEqual([...left])
      const renewed = await Promise.all(IDS.map((other, at) => session.renew(other, tokens[at] as string, LONG)))
      expect(IDS.filter((_, at) => renewed[at] !== 'lost')).toEqual([...left])
    }
  })

  test('namespaces see nothing of each other, however much their names look alike', async () => {
    await using peers = await openPeers(source)
    const root = peers.namespace
    const pairs: [namespace: string, id: string][] = [
      [root, 'a:b:c'],
      [`${root}:a`, 'b:c'],
      [`${root}:a:b`, 'c'],
      [`${root}:a:b:c`, ''],
      [`${root}:inbox`, 'a:b:c'],
      [`${root}*`, 'a:b:c'],
      [`${root}%`, 'a:b:c'],
      [root.toUpperCase(), 'a:b:c'],
      [`${root}${'x'.repeat(100 - root.length)}`, 'a:b:c'],
    ]
    const all: [Peer, string][] = []
    for (const [namespace, id] of pairs) all.push([await peers.join({ namespace }), id])
    const tokens: string[] = []
    for (const [peer, id] of all) {
      expect(await peer.session.read(id), `${peer.namespace} ${id}`).toBeUndefined()
      tokens.push(await peer.lead(id))
      await peer.wait(id)
      await peer.session.set(`${id}!`, Buffer.from(peer.namespace), LONG)
    }
    for (const [i, [peer, id]] of all.entries()) {
      expect(textOf(await peer.session.read(`${id}!`))).toBe(peer.namespace)
      await peer.session.remove([`${id}!`])
      await peer.session.end(id, tokens[i] as string, { type: 'alone' })
      await peer.session.announce({ from: peer.instanceId, ids: [id], tags: [], all: false })
    }
    for (const [i, [peer]] of all.entries()) {
      await peer.message(tokens[i] as string)
      await peer.notice(({ from }) => from === peer.instanceId)
    }
    await peers.settle()
    for (const [i, [peer]] of all.entries()) {
      expect(peer.messages.map(({ token }) => token).filter((token) => tokens.includes(token))).toEqual([tokens[i]])
      expect(peer.notices.map(({ from }) => from)).toEqual([peer.instanceId])
    }
  })
}
