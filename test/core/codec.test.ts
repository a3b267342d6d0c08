import { Buffer } from 'node:buffer'
import { PassThrough } from 'node:stream'
import { isDeepStrictEqual } from 'node:util'
import { createContext, runInContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Bytes, type Codec, json, rich } from '../../src/core/codec.ts'
import { type Fit, fitOf } from '../../src/core/fit.ts'

const PLAIN = { type: 'plain' }
const RICH = { type: 'rich' }

class User {
  id = 1
}

describe('a plain value', () => {
  it.each<[string, unknown]>([
    ['null', null],
    ['a string', 'größe 💡'],
    ['an ill-formed string', 'a\ud800b'],
    ['a number', -1.5e300],
    ['a nested value', { a: [1, [], {}, { b: null, c: [true, 'x'] }] }],
    ['a result of graphql', Object.assign(Object.create(null), { data: Object.create(null) })],
    ['a property named __proto__', JSON.parse('{"a":{"__proto__":{"polluted":true}}}')],
    ['a property named toJSON that is data', { toJSON: 'text' }],
    ['a marked object', Object.defineProperty({ a: 1 }, Symbol('mark'), { value: 1 })],
    ['an object and array of another realm', runInContext('({ a: [{ b: 1 }] })', createContext())],
    ['a shared reference', twice({ a: 1 })],
    ['a deep value', nested(200)],
  ])('is %s', (_, value) => {
    expect(fitOf(value)).toEqual(PLAIN)
    expect(isDeepStrictEqual(there(json, value), ordinary(value))).toBe(true)
  })

  it('comes back from JSON deep-equal, whatever it is', () => {
    let seen = 0
    fc.assert(
      fc.property(fc.oneof(fc.anything(ANY), fc.anything({ withNullPrototype: true }), fc.jsonValue()), (value) => {
        if (fitOf(value).type !== 'plain') return
        seen++
        expect(isDeepStrictEqual(there(json, value), ordinary(value))).toBe(true)
      }),
      { numRuns: 10_000 },
    )
    expect(seen).toBeGreaterThan(1_000)
  })

  it('is all that JSON has', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(fitOf(JSON.parse(text))).toEqual(PLAIN)
      }),
    )
  })

  it('is looked at without running anything of it', () => {
    let runs = 0
    const watched = {
      get a() {
        return runs++
      },
      list: [
        {
          get b() {
            return runs++
          },
        },
      ],
      toJSON: () => runs++,
    }
    expect(fitOf(watched).type).toBe('unfit')
    expect(fitOf(Object.defineProperty({ a: 1 }, 'toJSON', { value: () => runs++ })).type).toBe('unfit')
    expect(fitOf(Object.defineProperty({ a: 1 }, 'then', { get: () => runs++ })).type).toBe('plain')
    expect(runs).toBe(0)
  })
})

describe('a rich value', () => {
  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['a nested undefined', { a: undefined, b: [undefined] }],
    ['a number that JSON has not', [NaN, Infinity, -Infinity, -0]],
    ['a bigint', { id: 12345678901234567890n }],
    ['a date', { at: new Date(5), early: new Date(-8.64e15) }],
    [
      'a map',
      new Map<unknown, unknown>([
        [{ a: 1 }, new Map()],
        ['b', [undefined]],
      ]),
    ],
    ['a set', new Set([1, 'a', new Set([new Date(1)])])],
    ['a regular expression', /a\/b/gi],
    ['a URL', [new URL('https://a/b?c=d'), new URLSearchParams('a=1&a=2')]],
    ['bytes', [new Uint8Array([1, 2]), new Float64Array([1.5, NaN]), new BigInt64Array([-1n]), new ArrayBuffer(3)]],
    ['a data view', new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2)],
    ['a hole', holes(3, 1)],
    ['a sparse array', holes(1_000_000, 999_999)],
    ['a deep value', nested(300)],
    ['an object without prototype beside a date', Object.assign(Object.create(null), { at: new Date(1) })],
    ['an ill-formed string beside a date', { '\ud800': '\udfff', at: new Date(1) }],
    [
      'values of another realm',
      runInContext('({ a: [new Date(5), new Map([[1, new Set()]]), /x/] })', createContext()),
    ],
  ])('is %s', (_, value) => {
    expect(fitOf(value)).toEqual(RICH)
    const back = there(rich, value)
    expect(isDeepStrictEqual(back, typeof value === 'object' && value !== null ? localCopy(value) : value)).toBe(true)
  })

  it('is an invalid date', () => {
    expect(fitOf(new Date(NaN))).toEqual(RICH)
    expect(there(rich, new Date(NaN))).toEqual(new Date(NaN))
  })

  it('may cycle, and repeats come back as one', () => {
    const value: { at: Date; self?: unknown; again?: unknown[] } = { at: new Date(1) }
    value.self = value
    value.again = [value.at]
    expect(fitOf(value)).toEqual(RICH)
    const back = there(rich, value) as typeof value
    expect(back.self).toBe(back)
    expect(back.again?.[0]).toBe(back.at)
  })

  it('keeps a Buffer a Buffer, also an empty one and one of a pool', () => {
    const value = { pooled: Buffer.from('secret').subarray(0, 1), empty: Buffer.alloc(0), big: Buffer.alloc(9_000, 7) }
    expect(fitOf(value)).toEqual(RICH)
    const back = there(rich, value) as typeof value
    expect(Buffer.isBuffer(back.pooled) && Buffer.isBuffer(back.empty)).toBe(true)
    expect(back).toEqual(value)
  })

  it('keeps of a view only what the view shows', () => {
    const memory = new TextEncoder().encode('secret-public-secret')
    for (const view of [
      memory.subarray(7, 13),
      new DataView(memory.buffer, 7, 6),
      new Uint16Array(memory.buffer, 8, 2),
    ]) {
      const bytes = Buffer.from(rich.encode(view) as Bytes)
      const back = rich.decode(bytes) as ArrayBufferView
      expect(back.constructor).toBe(view.constructor)
      expect(back.buffer.byteLength).toBe(view.byteLength)
      expect(bytes.includes(Buffer.from('secret').toString('base64'))).toBe(false)
    }
    const shared = new Uint8Array(new SharedArrayBuffer(4)).fill(3)
    expect(fitOf(shared)).toEqual(RICH)
    expect(there(rich, shared)).toEqual(new Uint8Array(4).fill(3))
  })

  it('comes back deep-equal with its prototypes, whatever it is', () => {
    let seen = 0
    fc.assert(
      fc.property(fc.oneof(richValue, fc.anything(ANY)), (value) => {
        const fit = fitOf(value)
        // Where JSON is enough it is JSON that is used; devalue refuses an own __proto__, as `fitOf` says of richer values.
        if (fit.type === 'unfit' || (fit.type === 'plain' && hasOwnProto(value))) return
        seen++
        expect(isDeepStrictEqual(there(rich, value), value)).toBe(true)
      }),
      { numRuns: 10_000 },
    )
    expect(seen).toBeGreaterThan(5_000)
  })

  it('is any of Date, Map, Set, bigint, URL, bytes, holes and undefined, however nested', () => {
    fc.assert(
      fc.property(richValue, (value) => {
        expect(fitOf(value).type).not.toBe('unfit')
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('an unfit value', () => {
  class Dates extends Date {}
  class Maps extends Map {}
  class List extends Array<number> {}
  const invoked = /x/g
  invoked.lastIndex = 1

  it.each<[reason: string, path: string, value: unknown]>([
    ['an instance of User', '', new User()],
    ['an instance of User', '.products[1].owner', { products: [1, { owner: new User() }] }],
    ['an instance of Dates', '.at', { at: new Dates() }],
    ['an instance of Maps', '', new Maps()],
    ['an instance of List', '', new List()],
    ['an instance of Error', '[0]', [new Error('x')]],
    ['an instance of Number', '', Object(1)],
    ['an instance of WeakMap', '', new WeakMap()],
    ['an instance of Object', '', Object.create({ a: 1 })],
    ['an instance of Map', '', Object.create(Map.prototype)],
    ['an instance of URL', '', Object.create(URL.prototype)],
    ['an instance of a class', '', new (class {})()],
    ['a function', '.f', { f: () => 1 }],
    ['a toJSON method', '', { toJSON: () => 1 }],
    ['a toJSON method', '', Object.defineProperty({}, 'toJSON', { value: () => 1 })],
    ['a symbol', '["a-b"]', { 'a-b': Symbol('s') }],
    ['a property named by a symbol', '', { [Symbol('s')]: 1 }],
    [
      'an accessor',
      '[0].now',
      [
        {
          get now() {
            return 1
          },
        },
      ],
    ],
    ['an accessor', '[0].now', [{ set now(_: number) {}, at: new Date(1) }]],
    ['an array with properties', '.found', { found: 'abc'.match(/b/) }],
    ['an array with properties', '', Object.assign(holes(3, 1), { a: 1 })],
    ['a Map with properties', '', Object.assign(new Map(), { a: 1 })],
    ['a RegExp with a lastIndex', '', invoked],
    ['a function', '.keys()', new Map([[() => 1, 1]])],
    ['a symbol', '.values()[0]', new Map([[1, [Symbol()]]])],
    ['an instance of User', '.values()', new Set([new User()])],
    ['a property named __proto__', '.a.__proto__', { a: JSON.parse('{"__proto__":1}'), at: new Date(1) }],
  ])('has %s at %j', (reason, path, value) => {
    expect(fitOf(value)).toEqual({
      type: 'unfit',
      reason,
      path,
      once: false,
    })
  })

  it.each<[reason: string, value: unknown]>([
    ['a stream', new PassThrough()],
    ['a stream', new ReadableStream()],
    ['an instance of Response', new Response('x')],
    ['an instance of Request', new Request('http://a', { method: 'POST', body: 'x' })],
    ['an iterator', [1][Symbol.iterator]()],
    ['an iterator', (function* () {})()],
    ['an async iterable', (async function* () {})()],
    ['an iterator', { next: () => ({ done: true, value: 1 }) }],
    ['an async iterable', { [Symbol.asyncIterator]: () => ({}) }],
    // What it comes to may be one of these.
    ['a promise', Promise.resolve(1)],
  ])('that is %s can be consumed only once', (reason, value) => {
    expect(fitOf(value)).toEqual({ type: 'unfit', reason, path: '', once: true })
    // Also behind something else that is unfit.
    const behind = fitOf({ a: new User(), at: new Date(1), b: [{ c: value }] })
    expect(behind).toEqual({ type: 'unfit', reason, path: '.b[0].c', once: true })
  })

  it('that can be read again is not consumed', () => {
    expect(fitOf(new Blob(['x']))).toMatchObject({ type: 'unfit', once: false })
    expect(fitOf({ next: 'page2', value: 1 })).toEqual(PLAIN)
  })

  it('may be a proxy that throws', () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    expect(fitOf([proxy])).toMatchObject({ type: 'unfit', reason: 'a proxy that throws' })
    expect(fitOf(new Proxy({ a: 1 }, {}))).toEqual(PLAIN)
  })

  it('has a path of bounded length', () => {
    const fit = fitOf({ ['x'.repeat(10_000)]: [() => 1] })
    expect((fit as Fit & { path: string }).path.length).toBeLessThanOrEqual(160)
  })

  it('is one that is nested too deeply, and the stack does not end', () => {
    expect(fitOf(nested(500))).toEqual(RICH)
    expect(there(rich, nested(500))).toEqual(nested(500))
    expect(fitOf(nested(502))).toMatchObject({ type: 'unfit', reason: 'too deeply nested', once: false })
    expect(fitOf(nested(100_000))).toMatchObject({ type: 'unfit', reason: 'too deeply nested' })
    expect(fitOf(new Map([[1, nested(100_000)]]))).toMatchObject({ type: 'unfit', reason: 'too deeply nested' })
  })

  it('is found also with little stack left', () => {
    const fits: Fit[] = []
    const descend = (): void => {
      try {
        descend()
      } catch (error) {
        // On the way up there is a little more stack at each return.
        if (fits.length < 50) fits.push(fitOf(nested(150)))
        if (fits.length < 50) throw error
      }
    }
    try {
      descend()
    } catch {}
    expect(fits).toHaveLength(50)
    expect(fits[0]).toEqual({ type: 'unfit', reason: 'too deeply nested', path: '', once: false })
  })
})

describe('looking at a value', () => {
  it('takes linear time where a few objects share', () => {
    let value: unknown = { at: 1 }
    for (let i = 0; i < 60; i++) value = [value, value]
    const before = performance.now()
    // As JSON this would be 2^60 objects.
    expect(fitOf(value)).toEqual(RICH)
    expect(there(rich, value)).toBeDefined()
    expect(performance.now() - before).toBeLessThan(2_000)
  })

  it('takes linear time where all refer to all', () => {
    const all: Record<string, unknown>[] = Array.from({ length: 300 }, () => ({}))
    for (const one of all) for (const [i, other] of all.entries()) one[`o${i}`] = other
    const before = performance.now()
    fitOf(all)
    expect(performance.now() - before).toBeLessThan(2_000)
  })

  it('finds large values without sharing as plain as small ones', () => {
    expect(fitOf(Array.from({ length: 150_000 }, (_, i) => ({ i })))).toEqual(PLAIN)
    const one = { i: 1 }
    expect(fitOf(Array.from({ length: 150_000 }, () => one))).toEqual(RICH)
  })

  it('takes a huge sparse array by what is in it', () => {
    const value: unknown[] = []
    value[2 ** 32 - 2] = 1
    expect(fitOf(value)).toEqual(RICH)
    expect(fitOf(Array(2 ** 32 - 1))).toEqual(RICH)
  })
})

describe('the json codec', () => {
  it('reads bytes that begin inside their memory, and that are no Buffer', () => {
    const memory = new TextEncoder().encode('xx{"a":"é"}yy')
    expect(json.decode(memory.subarray(2, memory.length - 2))).toEqual({ a: 'é' })
    expect(json.decode(Buffer.from(memory).subarray(2, memory.length - 2))).toEqual({ a: 'é' })
  })

  it('says what it cannot encode', () => {
    expect(() => json.encode(undefined)).toThrow(new TypeError('the json codec cannot encode undefined'))
    expect(() => json.encode(() => 1)).toThrow(new TypeError('the json codec cannot encode function'))
  })
})

describe('bytes of somebody else', () => {
  const hostile = [
    '[[-7,4294967295]]',
    '[[-7,100000000,99999999,1],1]',
    '[[-7,4294967295,0,1,4294967294,1],1]',
    '[[-7,1e300]]',
    '[["Uint8Array",1],4294967295]',
    '[["Uint8Array",1],["Date",4294967295]]',
    '[["Float64Array",1,0,4294967295],["ArrayBuffer","AAAA"]]',
    '[["DataView",1,0,4294967295],["ArrayBuffer","AAAA"]]',
    '[["Buffer",1],4294967295]',
    '[["Buffer",1],[2],4294967295]',
    '[["Buffer",["Buffer",["Buffer",1]]]]',
    '[["Buffer",0]]',
    '[["Object",0]]',
    '[["Set",0]]',
    '[["Map",0,0]]',
    '[["Date",{"toString":1}]]',
    '[["BigInt",[[[]]]]]',
    '[["BigInt","x"]]',
    '[["RegExp","("]]',
    '[["URL","::"]]',
    '[["constructor",0]]',
    '[["__proto__",0]]',
    '[["toString"]]',
    '[["null","__proto__",1],{"polluted":2},true]',
    '[{"__proto__":1},{"polluted":2},true]',
    '[{"constructor":1},{"prototype":2},{"polluted":3},true]',
    '{"__proto__":{"polluted":true}}',
    '{"constructor":{"prototype":{"polluted":true}}}',
    '[-8]',
    '[[1.5]]',
    '[[99]]',
    '[]',
    '-1',
    '-9',
    '',
    '[',
    '"',
    `${'['.repeat(200_000)}${']'.repeat(200_000)}`,
    `[${Array.from({ length: 20_000 }, (_, i) => `[${i + 1}]`).join()},1]`,
    `[[${Array.from({ length: 20_000 }, (_, i) => i + 1).join()}],${'[-7,4294967295],'.repeat(19_999)}[-7,4294967295]]`,
  ]

  it.each(hostile.map((text) => [text.slice(0, 60), text]))('like %s do no harm', (_, text) => {
    const { arrayBuffers, heapUsed } = process.memoryUsage()
    const before = performance.now()
    for (const codec of [json, rich]) expectHarmless(codec, Buffer.from(text))
    expect(performance.now() - before).toBeLessThan(2_000)
    const now = process.memoryUsage()
    expect(now.arrayBuffers - arrayBuffers + now.heapUsed - heapUsed).toBeLessThan(200 * 1024 * 1024)
  })

  it('in the form that the rich codec reads do no harm', () => {
    const types =
      'Date Set Map RegExp Object BigInt null Uint8Array DataView ArrayBuffer URL Buffer __proto__ constructor'
    const cell = fc.oneof(
      fc.integer({ min: -9, max: 12 }),
      fc.constantFrom('', 'AAAA', '__proto__', 4294967295, null, 'http://a'),
    )
    const row = fc.oneof(
      cell,
      fc.array(cell, { maxLength: 5 }),
      fc.tuple(fc.constantFrom(...types.split(' ')), cell, cell, cell),
      fc.array(cell, { maxLength: 4 }).map((cells) => [-7, ...cells]),
      fc.dictionary(fc.constantFrom('a', 'then', '__proto__', 'toJSON', 'length'), cell),
    )
    fc.assert(
      fc.property(fc.array(row, { maxLength: 12 }), (rows) => {
        expectHarmless(rich, Buffer.from(JSON.stringify(rows)))
      }),
      { numRuns: 10_000 },
    )
  })

  it('and bytes that were changed do no harm', () => {
    const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }))
    fc.assert(
      fc.property(richValue, fc.array(change, { minLength: 1, maxLength: 4 }), (value, changes) => {
        const bytes = Buffer.from(rich.encode(value) as Bytes)
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte
        expectHarmless(rich, bytes)
        expectHarmless(json, bytes)
      }),
      { numRuns: 5_000 },
    )
  })
})

/** Without dates: Node's deep equality takes no invalid date for equal to another. */
const ANY: fc.ObjectConstraints = {
  withBigInt: true,
  withBoxedValues: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
  withUnicodeString: true,
}

const { richValue } = fc.letrec<{ richValue: unknown }>((tie) => {
  const inner = tie('richValue')
  const few = { maxLength: 3, depthIdentifier: 'rich' }
  const leaf = fc.oneof(
    fc.constantFrom(
      undefined,
      null,
      NaN,
      -0,
      0,
      Infinity,
      -Infinity,
      '',
      '\ud800',
      '</script>',
      '\u2028',
      'Buffer',
      -1,
    ),
    fc.boolean(),
    fc.double(),
    fc.integer(),
    fc.bigInt(),
    fc.string({ unit: 'binary' }),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array({ maxLength: 5 }),
    fc.uint8Array({ maxLength: 5 }).map((bytes) => Buffer.from(bytes)),
    fc.float64Array({ maxLength: 3 }),
    fc.constantFrom(/a/, /[/\]"]\n/giu).map((source) => new RegExp(source)),
    fc.webUrl().map((href) => new URL(href)),
  )
  const name = fc.string({ unit: 'binary', maxLength: 4 }).filter((text) => text !== '__proto__')
  return {
    richValue: fc.oneof(
      { depthSize: 'small', depthIdentifier: 'rich' },
      leaf,
      fc.array(inner, few),
      fc.sparseArray(inner, { maxNumElements: 3, maxLength: 40, depthIdentifier: 'rich' }),
      fc.dictionary(name, inner, { maxKeys: 4, depthIdentifier: 'rich' }),
      fc.array(fc.tuple(inner, inner), few).map((entries) => new Map(entries)),
      fc.array(inner, few).map((members) => new Set(members)),
      fc.tuple(inner, inner).map(([one, other]) => ({ one, other, again: [one, one] })),
    ),
  }
})

/** There and back again. */
function there(codec: Codec, value: unknown): unknown {
  return codec.decode(codec.encode(value) as Bytes)
}

/** A decoder may throw, or give a value; it may change nothing else. */
function expectHarmless(codec: Codec, bytes: Bytes): void {
  try {
    codec.decode(bytes)
  } catch (error) {
    expect(error).toBeInstanceOf(Error)
  }
  expect('polluted' in {}).toBe(false)
}

function twice(value: unknown): unknown {
  return [value, value]
}

function nested(levels: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = i % 2 === 0 ? [value] : { a: value }
  return value
}

function holes(length: number, ...at: number[]): unknown[] {
  const array: unknown[] = []
  array.length = length
  for (const index of at) array[index] = 'there'
  return array
}

/** The same plain value with the prototypes of this realm's ordinary objects and arrays: what JSON is to restore. */
function ordinary(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return Array.from(value, ordinary)
  const copy = {}
  for (const name of Object.keys(value)) {
    const member = ordinary(Object.getOwnPropertyDescriptor(value, name)?.value)
    Object.defineProperty(copy, name, { value: member, enumerable: true, writable: true, configurable: true })
  }
  return copy
}

/** The value itself, or, where it is of another realm, the same of this one. */
function localCopy(value: object): unknown {
  const isForeign = Object.getPrototypeOf(value) !== null && !(value instanceof Object)
  return isForeign ? structuredClone(value) : value
}

/** Such a property JSON restores and `rich` refuses: it must not be asked to encode it. */
function hasOwnProto(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(hasOwnProto)
}
