import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { createContext, runInContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Key, keyId, keyShape, MAX_ID_BYTES } from '../../src/core/key.ts'

describe('a string key', () => {
  it('stays as it is', () => {
    for (const key of ['product:42', '', 'größe/ü', '💡', 'a"b[c#d', '{x}', '%', 'null', ' ['])
      expect(keyId(key)).toBe(key)
  })

  it('is quoted where it could be taken for another form', () => {
    expect(keyId('[1]')).toBe('"[1]"')
    expect(keyId('"a"')).toBe('"\\"a\\""')
    expect(keyId('#42')).toBe('"#42"')
  })

  it('is quoted where it is ill-formed, so that two such keys stay two in UTF-8', () => {
    expect(keyId('user:\ud800')).toBe('"user:\\ud800"')
    expect(keyId('user:\udfff')).not.toBe(keyId('user:\ud800'))
    expect(keyId('user:\\ud800')).toBe('user:\\ud800')
  })

  it('is a digest where it is long', () => {
    expect(keyId('x'.repeat(256))).toBe('x'.repeat(256))
    const long = 'x'.repeat(257)
    expect(keyId(long)).toBe(`#${createHash('sha256').update(long).digest('base64url')}`)
    expect(keyId('é'.repeat(128))).toBe('é'.repeat(128))
    expect(keyId('é'.repeat(129))).toMatch(/^#/)
  })
})

describe('an array key', () => {
  it('is canonical text that a person can read', () => {
    expect(keyId(['product', '42'])).toBe('["product","42"]')
    expect(keyId(['list', { first: 10, after: null }, true])).toBe('["list",{"after":null,"first":10},true]')
    expect(keyId([])).toBe('[]')
    expect(keyId([undefined, NaN, -0, 0, -Infinity, 42n])).toBe('[undefined,NaN,-0,0,-Infinity,42n]')
    expect(keyId([new Date(5), new Date(NaN)])).toBe('[Date(5),Date(NaN)]')
    expect(keyId([new Map([['a', 1]]), new Set([1, 'b'])])).toBe('[Map("a":1),Set(1,"b")]')
    expect(keyId([Buffer.from('hi'), new Uint8Array([1])])).toBe('[Bytes(aGk),Bytes(AQ)]')
    expect(keyId([new URL('https://example.org/a b?c')])).toBe('[URL("https://example.org/a%20b?c")]')
  })

  it('is the same whatever the order of object keys, at any depth', () => {
    const a = ['x', { b: 1, a: [{ d: 1, c: 2 }] }]
    const b = ['x', { a: [{ c: 2, d: 1 }], b: 1 }]
    expect(keyId(a)).toBe(keyId(b))
    const many = Array.from({ length: 40 }, (_, i) => [`k${i}`, i] as const)
    expect(keyId([Object.fromEntries(many)])).toBe(keyId([Object.fromEntries(many.toReversed())]))
  })

  it('is the same with and without prototype, in this realm and another', () => {
    const foreign: unknown = runInContext('[{ b: 1, a: [new Date(5), new Map([[1, new Set([2])]])] }]', createContext())
    const ours = [{ b: 1, a: [new Date(5), new Map([[1, new Set([2])]])] }]
    expect(keyId(foreign as Key)).toBe(keyId(ours))
    expect(keyId([Object.assign(Object.create(null), { a: 1 })])).toBe(keyId([{ a: 1 }]))
  })

  it('sees only what a view shows of its buffer', () => {
    const memory = new Uint8Array([9, 1, 2, 9])
    expect(keyId([memory.subarray(1, 3)])).toBe(keyId([Buffer.from([1, 2])]))
  })

  it('takes a property named __proto__ for what it is', () => {
    const own: unknown = JSON.parse('{"__proto__":{"a":1}}')
    expect(keyId([own])).toBe('[{"__proto__":{"a":1}}]')
    expect(keyId([own])).not.toBe(keyId([{}]))
  })
})

describe('a version', () => {
  it('stands in front, and belongs to what is digested', () => {
    expect(keyId('a', 'v1')).toBe('"v1":a')
    expect(keyId(['a'], '')).toBe('"":["a"]')
    const long = 'x'.repeat(300)
    expect(new Set([keyId(long), keyId(long, '1'), keyId(long, '2')]).size).toBe(3)
  })

  it('is never taken for a part of the key', () => {
    expect(keyId('a', '1')).not.toBe(keyId('"1":a'))
    expect(keyId('b', '1":a')).not.toBe(keyId('a":b', '1'))
  })
})

describe('no two keys', () => {
  it('of different types or values have one id', () => {
    const parts: unknown[] = [
      null, undefined, true, false, 0, -0, 1, -1, NaN, Infinity, -Infinity, 0n, 1n, -1n, 1.5, 1e21, 1e-7, '', '0',
      '1', '1n', 'null', 'undefined', 'true', 'NaN', '-0', 'Date(0)', '{}', '[]', '"', '\\', '\\"', ',', '\u0000',
      '\ud800', '\udc00', '\\ud800', '\ufffd', '\u2028', 'hole', new Date(0), new Date(1), new Date(NaN), [], [[]],
      [undefined], [null], [undefined, undefined], [1, 2], [[1], 2], [[1, 2]], ['1,2'], ['1', '2'], ['1","2'], {},
      { a: undefined }, { a: null }, { a: 1 }, { a: '1' }, { b: 1 }, { a: 1, b: 2 }, { a: { b: 2 } },
      { 'a":1,"b': 2 }, { '': 0 }, JSON.parse('{"__proto__":1}'), { constructor: 1 }, new Map(), new Map([['a', 1]]),
      new Map([['a', 1], ['b', 2]]), new Map([['b', 2], ['a', 1]]), new Map([[1, 'a']]), new Map([[{}, {}]]),
      new Set(), new Set([1]), new Set(['1']), new Set([[1, 2]]), new Set([1, 2]), new Set([2, 1]), new Uint8Array(),
      new Uint8Array([0]), new Uint8Array([0, 0]), 'AA', new URL('http://a'), 'http://a/', new URL('http://a/b'),
      new URL('http://a/#'), new Date(8.64e15), 8.64e15,
    ] // biome-ignore format: one value after the other
    const ids = new Map<string, unknown>()
    for (const part of parts) {
      const id = keyId([part])
      expect(ids.has(id), `${id} is the id of two`).toBe(false)
      ids.set(id, part)
    }
    for (const part of parts) if (typeof part === 'string') expect(ids.has(keyId(part))).toBe(false)
  })

  it('have one id unless they are the same key', () => {
    fc.assert(
      fc.property(key, key, (a, b) => {
        expect(keyId(a) === keyId(b)).toBe(isSame(a, b))
      }),
      { numRuns: 5_000 },
    )
  })

  it('that differ in one place have one id', () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1 }), fc.nat(), part, (a, at, other) => {
        const b = a.with(at % a.length, other)
        expect(keyId(a) === keyId(b)).toBe(isSame(a, b))
      }),
      { numRuns: 5_000 },
    )
  })

  it('have one id across versions', () => {
    const version = fc.option(fc.oneof(confusing, fc.string()), { nil: undefined })
    fc.assert(
      fc.property(key, version, key, version, (a, va, b, vb) => {
        // Between a version and none there is no promise to keep, yet it holds.
        expect(keyId(a, va) === keyId(b, vb)).toBe(va === vb && isSame(a, b))
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('one key', () => {
  it('has one id, however it was put together', () => {
    fc.assert(
      fc.property(key, fc.infiniteStream(fc.nat()), (a, dice) => {
        const b = rebuilt(a, dice) as Key
        expect(isSame(a, b)).toBe(true)
        expect(keyId(b)).toBe(keyId(a))
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('an id', () => {
  it('is well-formed and short, whatever the key', () => {
    const units = fc
      .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 300 })
      .map((codes) => String.fromCharCode(...codes))
    const anything = fc.oneof(
      key,
      units,
      fc.array(units),
      fc.string({ unit: 'grapheme', minLength: 80, maxLength: 300 }),
    )
    fc.assert(
      fc.property(anything, fc.option(units, { nil: undefined }), (a, version) => {
        const id = keyId(a, version)
        expect(/\p{Surrogate}/u.test(id)).toBe(false)
        expect(Buffer.byteLength(id)).toBeLessThanOrEqual(MAX_ID_BYTES)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('what has no canonical text is refused with its place', () => {
  class User {
    id = 1
  }
  class Dates extends Date {}
  class List extends Array<number> {}
  const cyclic: unknown[] = ['a']
  cyclic.push({ self: cyclic })
  const nested = (levels: number) => {
    let value: unknown = 1
    for (let i = 0; i < levels; i++) value = [value]
    return [value]
  }

  const refused: [bad: unknown, message: string][] = [
    [['p', { owner: new User() }], 'key[1].owner is an instance of User: put its id into the key'],
    [['p', new Dates()], 'key[1] is an instance of Dates: put its id into the key'],
    [['p', new List()], 'key[1] is an instance of List: put its id into the key'],
    [[Object.create({ a: 1 })], 'key[0] is an instance of Object: put its id into the key'],
    [[Object.create(Date.prototype)], 'key[0] is an instance of Date: put its id into the key'],
    [[Object.create(URL.prototype)], 'key[0] is an instance of URL: put its id into the key'],
    [[{ 'a-b': [() => 1] }], 'key[0]["a-b"][0] is a function: put a name into the key'],
    [[Symbol('s')], 'key[0] is a symbol: put its description into the key'],
    [[Promise.resolve(1)], 'key[0] is a promise: await it first'],
    [[new Map([[() => 1, 1]])], 'key[0].keys() is a function: put a name into the key'],
    [[new Map([[1, { f: Symbol() }]])], 'key[0].values().f is a symbol: put its description into the key'],
    [[new Set([Symbol()])], 'key[0].values() is a symbol: put its description into the key'],
    [
      [
        {
          get now() {
            return 1
          },
        },
      ],
      'key[0].now is an accessor: put its value into the key',
    ],
    [Object.assign(new Array(3), { 0: 1, 2: 3 }), 'key[1] is a hole: put undefined or null into the key'],
    [Object.assign(['a'], { b: 1 }), 'key is an array with properties: put an object into the key'],
    [[/x/], 'key[0] is a RegExp: put its id into the key'],
    [[new Float32Array(1)], 'key[0] is a Float32Array: put its id into the key'],
    [[Object(1)], 'key[0] is an instance of Number: put its id into the key'],
    [[Object.assign(new Date(0), { zone: 'x' })], 'key[0] is a Date with properties: put its id into the key'],
    [[new WeakMap()], 'key[0] is an instance of WeakMap: put its id into the key'],
    [
      [{ [Symbol('s')]: 1 }],
      'key[0] is an object with a property named by a symbol: leave that out, or name it by a string',
    ],
    [42, 'a key is a string or an array of values, got 42'],
    [undefined, 'a key is a string or an array of values, got undefined'],
    [Symbol('s'), 'a key is a string or an array of values, got Symbol(s)'],
    [{ id: 1 }, 'a key is a string or an array of values, got Object'],
    [new User(), 'a key is a string or an array of values, got an instance of User'],
  ]

  it.each(refused.map(([bad, message]) => ({ bad, message })))('$message', ({ bad, message }) => {
    expect(() => keyId(bad as Key)).toThrow(new TypeError(message))
  })

  it('never runs a getter', () => {
    let runs = 0
    const watched = {
      get secret() {
        return runs++
      },
    }
    expect(() => keyId([watched])).toThrow(TypeError)
    expect(keyShape([watched])).toBe('[object]')
    expect(runs).toBe(0)
  })

  it('at the 101st level, and so is a cycle', () => {
    expect(keyId(nested(99))).toBe(`${'['.repeat(100)}1${']'.repeat(100)}`)
    expect(() => keyId(nested(100))).not.toThrow()
    expect(() => keyId(nested(101))).toThrow(RangeError)
    expect(() => keyId(cyclic)).toThrow(
      /^key\[1\]\.self\[1\]\.self.*… is more than 100 levels deep, or contains itself/,
    )
  })
})

describe('a huge key', () => {
  const timed = (work: () => void) => {
    const before = performance.now()
    work()
    return performance.now() - before
  }

  it('of deep nesting is refused before the stack ends', () => {
    let value: unknown = 1
    for (let i = 0; i < 100_000; i++) value = i % 2 === 0 ? [value] : { a: value }
    expect(() => keyId([value])).toThrow(/levels deep/)
  })

  it('of a million values has an id or an error, soon', () => {
    const wide = Array.from({ length: 1_000_000 }, (_, i) => i)
    expect(timed(() => expect(keyId(wide)).toMatch(/^#/))).toBeLessThan(5_000)
    const object = Object.fromEntries(wide.map((i) => [`k${i}`, i]))
    expect(timed(() => expect(() => keyId([object])).toThrow(/larger than/))).toBeLessThan(5_000)
    expect(timed(() => expect(keyId('x'.repeat(50_000_000))).toMatch(/^#/))).toBeLessThan(5_000)
  })

  it('made of a few objects that share is refused, soon', () => {
    let value: unknown = 'x'
    for (let i = 0; i < 60; i++) value = [value, value]
    expect(timed(() => expect(() => keyId([value])).toThrow(/larger than/))).toBeLessThan(5_000)
    const text = 'x'.repeat(100_000)
    expect(timed(() => expect(() => keyId(Array(100_000).fill(text))).toThrow(/larger than/))).toBeLessThan(5_000)
    const number = 10n ** 50_000n
    expect(timed(() => expect(() => keyId(Array(100_000).fill(number))).toThrow(/larger than/))).toBeLessThan(5_000)
  })

  it('that is an array of only holes is refused at the first', () => {
    expect(() => keyId(Array(1_000_000))).toThrow(/key\[0\] is a hole/)
    expect(() => keyId(Array(2 ** 32 - 1))).toThrow(/larger than/)
  })
})

describe('the shape of a key', () => {
  it('is what its kind has in common', () => {
    expect(keyShape('product:42')).toBe('product:*')
    expect(keyShape('shop/eu/42')).toBe('shop/*')
    expect(keyShape(['product', '42', { a: 1 }])).toBe('["product",string,object]')
    expect(keyShape(['trpc:product.byId', 1, 1n, true, null, undefined])).toBe(
      '["trpc:product.byId",number,bigint,boolean,null,undefined]',
    )
    expect(keyShape([1, [2], new Date(), new Map(), new URL('a:b'), Buffer.of(1)])).toBe(
      '[number,array,Date,Map,URL,Buffer]',
    )
    expect(keyShape([])).toBe('[]')
  })

  it('has nothing of what may be somebody’s', () => {
    expect(keyShape('alice@example.org')).toBe('*')
    expect(keyShape('alice')).toBe('*')
    expect(keyShape('8c1f2a:profile')).toBe('*')
    expect(keyShape('')).toBe('*')
    expect(keyShape(['alice@example.org', 1])).toBe('[string,number]')
    expect(keyShape(['product', 'alice'])).toBe('["product",string]')
  })

  it('is short and never throws', () => {
    fc.assert(
      fc.property(fc.oneof(key, fc.anything(), fc.array(fc.anything(), { minLength: 6 })), (any) => {
        expect(keyShape(any as Key).length).toBeLessThan(200)
      }),
    )
    for (const odd of [Symbol(), () => 1, new Proxy([], {}), null])
      expect(typeof keyShape(odd as unknown as Key)).toBe('string')
    expect(keyShape(Array.from({ length: 1_000 }, () => 1))).toBe(`[${'number,'.repeat(8)}…]`)
  })
})

/** Texts that look like other forms, or like the seams between forms. */
const confusing = fc.constantFrom(
  '', 'a', 'b', '0', '1', '1n', '-0', 'null', 'undefined', 'NaN', '"', '\\', '\\"', ',', ':', '[', ']', '{', '}', '(',
  '#', '","', '":', '"a":', '["a"]', '[1]', 'Date(0)', 'Set(', '\ud800', '\udc00', '\\ud800', '\ufffd', '__proto__',
  '💡', 'constructor',
) // biome-ignore format: one text after the other

const { part } = fc.letrec<{ part: unknown }>((tie) => {
  const leaf = fc.oneof(
    confusing,
    fc.constantFrom(null, undefined, true, false, 0, -0, 1, NaN, Infinity, -Infinity, 0n, 1n, 1.5),
    fc.double(),
    fc.bigInt(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom(0, 1, NaN).map((at) => new Date(at)),
    fc.uint8Array({ maxLength: 2, max: 1 }),
    fc.uint8Array({ maxLength: 2, max: 1 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom('a:', 'http://a/', 'http://a/?b').map((href) => new URL(href)),
  )
  const few = { maxLength: 3, depthIdentifier: 'key' }
  const inner = tie('part')
  return {
    part: fc.oneof(
      { depthSize: 'small', depthIdentifier: 'key' },
      leaf,
      fc.array(inner, few),
      fc.dictionary(confusing, inner, { maxKeys: 3, depthIdentifier: 'key' }),
      fc.array(fc.tuple(inner, inner), few).map((entries) => new Map(entries)),
      fc.array(inner, few).map((members) => new Set(members)),
    ),
  }
})

const key: fc.Arbitrary<Key> = fc.oneof(confusing, fc.string({ unit: 'binary' }), fc.array(part, { maxLength: 4 }))

/** What it means to be the same key, said a second time and without any text. */
function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b)
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0
  if (Object.prototype.toString.call(a) !== Object.prototype.toString.call(b)) return false
  if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime())
  if (a instanceof URL) return a.href === (b as URL).href
  if (a instanceof Map || a instanceof Set) return isSame([...a], [...(b as Map<unknown, unknown>)])
  const names = Reflect.ownKeys(a)
  return (
    names.length === Reflect.ownKeys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && isSame(Reflect.get(a, name), Reflect.get(b, name)))
  )
}

/** The same key in other objects, the properties of which were added in another order. */
function rebuilt(value: unknown, dice: Iterator<number>): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((member) => rebuilt(member, dice))
  if (value instanceof Date) return new Date(value)
  if (value instanceof URL) return new URL(value)
  if (value instanceof Uint8Array) return Buffer.isBuffer(value) ? new Uint8Array(value) : Buffer.from(value)
  if (value instanceof Set) return new Set([...value].map((member) => rebuilt(member, dice)))
  if (value instanceof Map) return new Map([...value].map(([k, v]) => [rebuilt(k, dice), rebuilt(v, dice)]))
  const weighed = Object.keys(value).map((name) => ({ name, weight: dice.next().value as number }))
  const copy = (dice.next().value as number) % 2 === 0 ? {} : Object.create(null)
  for (const { name } of weighed.sort((x, y) => x.weight - y.weight)) {
    const member = rebuilt(Object.getOwnPropertyDescriptor(value, name)?.value, dice)
    Object.defineProperty(copy, name, { value: member, enumerable: true, writable: true, configurable: true })
  }
  return copy
}
