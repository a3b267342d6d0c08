import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TOKEN_LENGTH } from '../../../src/core/entry.ts'
import type { Message, Outcome } from '../../../src/index.ts'
import {
  AGAIN,
  ALONE,
  decodeMessage,
  decodeNotice,
  ERROR,
  encodeMessage,
  encodeNotice,
  QUEUED,
  READY,
  VALUE,
} from '../../../src/stores/redis/messages.ts'
import { plain } from '../contract/ending.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const token = fc.string({ unit: fc.constantFrom(...ALPHABET), minLength: TOKEN_LENGTH, maxLength: TOKEN_LENGTH })
const id = fc
  .oneof(fc.string({ unit: 'binary', maxLength: 64 }), fc.string({ unit: fc.constantFrom(...'0123456789:VREAO') }))
  .filter((text) => text.isWellFormed())
const body = fc.uint8Array({ maxLength: 300 })

const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  body.map((entry) => ({ type: 'value', entry }) as const),
  body.map((error) => ({ type: 'error', error }) as const),
  fc.constantFrom<Outcome>({ type: 'ready' }, { type: 'again' }, { type: 'alone' }, { type: 'queued' }),
)

const LETTERS = { value: VALUE, ready: READY, error: ERROR, again: AGAIN, alone: ALONE, queued: QUEUED }
const TOKEN = 'abcdefghijklmnop'

function encode(message: Message): Buffer {
  const { type } = message.outcome
  const bytes = type === 'value' ? message.outcome.entry : type === 'error' ? message.outcome.error : undefined
  return encodeMessage(LETTERS[type], message.token, message.id, bytes)
}

describe('a message', () => {
  test('comes back as it was', () => {
    fc.assert(
      fc.property(id, token, outcome, (anId, aToken, anOutcome) => {
        const message = decodeMessage(encode({ id: anId, token: aToken, outcome: anOutcome }))
        expect(message?.id).toBe(anId)
        expect(message?.token).toBe(aToken)
        expect(plain(message?.outcome as Outcome)).toEqual(plain(anOutcome))
      }),
      { numRuns: 1000 },
    )
  })

  test('looks as the end script builds it', () => {
    expect(encodeMessage(VALUE, TOKEN, 'é:1', Buffer.from('body')).toString()).toBe(`V${TOKEN}4:é:1body`)
    expect(encodeMessage(AGAIN, TOKEN, '').toString()).toBe(`A${TOKEN}0:`)
  })

  test('of the longest id comes back', () => {
    const message = { id: 'x'.repeat(256), token: TOKEN, outcome: { type: 'again' } } as const
    expect(decodeMessage(encode(message))).toEqual(message)
  })

  test('arbitrary bytes are a message or undefined, never an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        decodeMessage(Buffer.from(bytes))
        decodeNotice(Buffer.from(bytes))
      }),
      { numRuns: 5000 },
    )
  })

  test('bytes that almost are a message are one only if they would be written so', () => {
    const almost = fc
      .tuple(
        fc.constantFrom(...'VREAOXv\0'),
        token,
        fc.oneof(
          fc.string({ unit: fc.constantFrom(...'0123456789:-+.eExX \0'), maxLength: 6 }),
          fc.nat(40).map((length) => `${length}:`),
        ),
        fc.uint8Array({ maxLength: 40 }),
      )
      .map(([letter, aToken, length, rest]) => Buffer.concat([Buffer.from(letter + aToken + length), rest]))
    fc.assert(
      fc.property(almost, (bytes) => {
        const message = decodeMessage(bytes)
        if (message !== undefined) expect(encode(message).toString('latin1')).toBe(bytes.toString('latin1'))
      }),
      { numRuns: 20_000 },
    )
  })

  test('cut short anywhere before its body, is none', () => {
    const whole = encodeMessage(ERROR, TOKEN, 'some id', Buffer.from('body'))
    for (let length = 0; length < whole.length - 4; length++) {
      expect(decodeMessage(whole.subarray(0, length)), String(length)).toBeUndefined()
    }
    expect(decodeMessage(whole)).toBeDefined()
  })

  test.each([
    ...['', ':', 'V', `V${TOKEN}`, `V${TOKEN}:`, `V${TOKEN}-1:abc`, `V${TOKEN}1.5:abc`, `V${TOKEN}0x1:abc`],
    ...[`V${TOKEN}1e0:abc`, `V${TOKEN}+1:abc`, `V${TOKEN} 1:abc`, `V${TOKEN}01:abc`, `V${TOKEN}9:abc`],
    ...[
      `V${TOKEN}99999:abc`,
      `V${TOKEN}NaN:abc`,
      `X${TOKEN}1:abc`,
      `v${TOKEN}1:abc`,
      `R${TOKEN}1:abc`,
      `A${TOKEN}0:abc`,
    ],
  ])('%j is none', (text) => {
    expect(decodeMessage(Buffer.from(text))).toBeUndefined()
  })
})

describe('a notice', () => {
  test('comes back as it was', () => {
    fc.assert(
      fc.property(token, fc.array(id), fc.array(id), fc.boolean(), (from, ids, tags, all) => {
        expect(decodeNotice(Buffer.from(encodeNotice({ from, ids, tags, all })))).toEqual({ from, ids, tags, all })
      }),
    )
  })

  test('of whatever JSON is a notice or undefined, and a notice has its four members only', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const notice = decodeNotice(Buffer.from(text))
        if (notice !== undefined) expect(Object.keys(notice).sort()).toEqual(['all', 'from', 'ids', 'tags'])
      }),
    )
  })

  test.each([
    '',
    'null',
    '1',
    '"x"',
    '[]',
    '{}',
    '{"from":1,"ids":[]}',
    '{"from":"x","ids":"y"}',
    '{"from":"x","ids":[]}',
  ])('%j is none', (text) => {
    expect(decodeNotice(Buffer.from(text))).toBeUndefined()
  })

  test.each([
    ...['"ids":[1],"tags":[],"all":false', '"ids":["a",null],"tags":[],"all":false', '"ids":{"length":0},"tags":[]'],
    ...['"ids":[],"tags":[1],"all":true', '"ids":[],"tags":"t","all":true', '"ids":[],"tags":[],"all":1'],
  ])('with %j is none, although it begins as one', (members) => {
    expect(decodeNotice(Buffer.from(`{"from":"x",${members}}`))).toBeUndefined()
  })
})
