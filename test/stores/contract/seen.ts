import { expect, test } from 'vitest'
import { MARK_BYTES, markOf } from '../../../src/core/entry.ts'
import type { Bytes } from '../../../src/index.ts'
import { entryOf, LONG, newToken, openPeers, type StoreSource, textOf } from './peers.ts'

const foreign: Record<string, Bytes> = {
  'empty bytes': Buffer.alloc(0),
  'a single zero': Buffer.from([0]),
  'a few bytes': Buffer.from('{"a":1}'),
  'a byte less than a mark': Buffer.alloc(MARK_BYTES - 1, 'x'),
  'as many bytes as a mark': Buffer.alloc(MARK_BYTES, 0xff),
  'more bytes than a mark': Buffer.alloc(1000, 'y'),
  'the word for nothing': Buffer.from('none'),
  'a dash': Buffer.from('-'),
  'a star': Buffer.from('*'),
  'an equals sign': Buffer.from('='),
}

/** What the claimer has seen decides between hit and flight; what is present is told. */
export function seen(source: StoreSource): void {
  test('whose own mark is there leads, and is told the mark', async () => {
    await using peers = await openPeers(source)
    const [one, two] = [await peers.join(), await peers.join()]
    const mark = markOf(entryOf(newToken()))
    await one.session.set('x', Buffer.concat([mark, Buffer.from('rest')]), LONG)
    const token = newToken()
    const lead = await one.session.claim('x', { token, seen: mark, lease: LONG })
    expect(lead).toEqual({ type: 'lead', present: expect.anything(), clock: expect.any(Number) })
    expect(presentOf(lead)).toBe(textOf(mark))
    const wait = await two.session.claim('x', { token: newToken(), seen: mark, lease: LONG })
    expect(wait).toMatchObject({ type: 'wait', token })
    expect(presentOf(wait)).toBe(textOf(mark))
  })

  test('an entry with another mark than the one seen is a hit, with and without a flight', async () => {
    await using peers = await openPeers(source)
    const { session, lead } = await peers.join()
    const old = markOf(entryOf(newToken()))
    await session.set('x', entryOf(newToken()), LONG)
    const request = () => ({ token: newToken(), seen: old, lease: LONG })
    expect(await session.claim('x', request())).toEqual({ type: 'hit' })
    await lead('x')
    expect(await session.claim('x', request())).toEqual({ type: 'hit' })
  })

  test('a mark that differs in its last byte is another one', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    const entry = entryOf(newToken())
    await session.set('x', entry, LONG)
    for (const at of [0, 4, MARK_BYTES - 1]) {
      const other = Uint8Array.from(markOf(entry))
      other[at] = (other[at] as number) ^ 1
      expect(await session.claim('x', { token: newToken(), seen: other, lease: LONG })).toEqual({ type: 'hit' })
    }
  })

  test('where what was seen is gone, the claimer leads, and is told that nothing is there', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    const old = markOf(entryOf(newToken()))
    expect(await session.claim('x', { token: newToken(), seen: old, lease: LONG })).toEqual({
      type: 'lead',
      present: 'none',
      clock: expect.any(Number),
    })
    expect(await session.claim('x', { token: newToken(), seen: old, lease: LONG })).toMatchObject({
      type: 'wait',
      present: 'none',
    })
  })

  test('who does not care never has a hit, and is told the mark that is there', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    expect(await session.claim('none', { token: newToken(), seen: 'any', lease: LONG })).toEqual({
      type: 'lead',
      present: 'none',
      clock: expect.any(Number),
    })
    const entry = entryOf(newToken())
    await session.set('x', entry, LONG)
    for (const type of ['lead', 'wait'] as const) {
      const claim = await session.claim('x', { token: newToken(), seen: 'any', lease: LONG })
      expect(claim.type).toBe(type)
      expect(presentOf(claim)).toBe(textOf(markOf(entry)))
    }
  })

  test.each(Object.keys(foreign))('%s of somebody else: seen → lead, not seen → hit', async (name) => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    const bytes = foreign[name] as Bytes
    const mark = Uint8Array.from(markOf(bytes))
    await session.set('x', bytes, LONG)
    for (const other of ['none', markOf(entryOf(newToken())), Buffer.concat([mark, Buffer.from('z')])] as const) {
      // With one byte more than a mark has, it is none at all: no claimer has such a one.
      if (typeof other !== 'string' && other.length > MARK_BYTES) continue
      expect(await session.claim('x', { token: newToken(), seen: other, lease: LONG })).toEqual({ type: 'hit' })
    }
    for (const type of ['lead', 'wait'] as const) {
      const claim = await session.claim('x', { token: newToken(), seen: mark, lease: LONG })
      expect(claim.type).toBe(type)
      expect(presentOf(claim)).toBe(textOf(mark))
    }
    await session.remove(['x'])
    const any = await session.claim('x', { token: newToken(), seen: 'any', lease: LONG })
    expect(any).toEqual({ type: 'lead', present: 'none', clock: expect.any(Number) })
  })

  test('what a claim says is present is what the next one may name as seen', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    for (const [id, bytes] of Object.entries(foreign)) {
      await session.set(id, bytes, LONG)
      const first = await session.claim(id, { token: newToken(), seen: 'any', lease: LONG })
      if (first.type !== 'lead') throw new Error(`expected to lead, got ${first.type}`)
      expect(first.present, id).not.toBe('none')
      const next = await session.claim(id, { token: newToken(), seen: first.present, lease: LONG })
      expect(next.type, id).toBe('wait')
    }
  })

  test('bytes of somebody else are replaced by the value of a flight that saw them', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    const bytes = Buffer.from('somebody else')
    await session.set('x', bytes, LONG)
    const token = newToken()
    await session.claim('x', { token, seen: markOf(bytes), lease: LONG })
    const entry = entryOf(token)
    expect(await session.end('x', token, { type: 'value', entry, ttl: LONG })).toEqual({ type: 'ok', stored: true })
    expect(textOf(await session.read('x'))).toBe(textOf(entry))
  })
}

function presentOf(claim: object): string | undefined {
  const { present } = claim as { present?: Bytes | 'none' }
  return present === 'none' ? 'none!' : textOf(present)
}
