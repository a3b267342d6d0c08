import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import fc from 'fast-check'

/**
 * Properties over what clients and stores may send, each run made by its seed, which is printed.
 *
 * `ATOMCACHE_SEED=42 npx vitest run test/hostile` plays the runs of a seed again; `ATOMCACHE_FUZZ_RUNS=10000` plays more than usual.
 */
const SEED = Number(process.env.ATOMCACHE_SEED ?? Date.now() % 2 ** 31)
const RUNS = process.env.ATOMCACHE_FUZZ_RUNS

/** How often a property is played. */
export function runs(usual: number): { readonly seed: number; readonly numRuns: number } {
  const numRuns = RUNS === undefined ? usual : Number(RUNS)
  console.log(`ATOMCACHE_SEED=${SEED}: ${numRuns} runs`)
  return { seed: SEED, numRuns }
}

/** ms that the runs of one property may take on a busy machine: a limit for a hang. */
export const LIMIT = RUNS === undefined ? 120_000 : 3_600_000

/** Texts that look like something else, or like nothing. */
export const SUSPICIOUS: readonly string[] = [
  ...[
    '',
    ' ',
    '0',
    '-0',
    '1e400',
    'null',
    'undefined',
    'true',
    '[]',
    '{}',
    '["a"]',
    '{"a":1}',
    '"',
    "'",
    '\\',
    '%',
    '#',
  ],
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'then', 'toJSON', '__typename', 'length'],
  ...['\0', '\n', '\r\nset-cookie: a=b', '\x1b[31m', '\u2028', '\u202e', '\ufeff', '\ufffd', '\x7f', '\x85'],
  ...['\ud800', '\udc00', '\udc00\ud800', '\ud83d\ude00', '\u00e9', 'e\u0301', '\u212b', '\u00c5', 'ﬁ', 'I', 'ı', 'İ'],
  ...['ann', 'bob', 'ann,bob', 'ann:bob', 'ann","bob', '{ann}', ':flight', 'everybody', 'x'.repeat(300)],
]

export const hostileText = fc.oneof(fc.constantFrom(...SUSPICIOUS), fc.string({ unit: 'binary', maxLength: 12 }))

/** The text of a JSON value: numbers beyond all bounds, names of prototypes, names that are there twice. */
export const jsonText: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthIdentifier: 'json' },
    fc.constantFrom('null', 'true', 'false', '0', '-0', '1', '1.5', '1e400', '-1e400', '1e-400', '9007199254740993'),
    hostileText.map((value) => JSON.stringify(value)),
    fc.array(tie('value'), { maxLength: 4, depthIdentifier: 'json' }).map((values) => `[${values.join()}]`),
    members(tie('value')),
    fc.constantFrom(30, 99, 101, 150).map((depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`),
  ),
})).value

/** The text of a JSON object. */
export function members(value: fc.Arbitrary<string>, name: fc.Arbitrary<string> = hostileText): fc.Arbitrary<string> {
  const member = fc.tuple(name, value).map(([name, value]) => `${JSON.stringify(name)}:${value}`)
  return fc.array(member, { maxLength: 4, depthIdentifier: 'json' }).map((all) => `{${all.join()}}`)
}

/** Some of the texts are damaged: a character changed, left out, doubled, or all cut off behind it. */
export function sometimesDamaged(whole: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const damage = fc.record({ at: fc.nat(), how: fc.constantFrom('change', 'drop', 'double', 'cut'), by: hostileText })
  return fc.oneof(
    { weight: 15, arbitrary: whole },
    {
      weight: 1,
      arbitrary: fc.tuple(whole, damage).map(([text, { at, how, by }]) => {
        const place = at % (text.length + 1)
        const [before, after] = [text.slice(0, place), text.slice(place)]
        if (how === 'cut') return before
        return (
          before +
          (how === 'double' ? after.slice(0, 1) : how === 'change' ? by : '') +
          after.slice(how === 'double' ? 0 : 1)
        )
      }),
    },
  )
}

/** Mostly the first; now and then one of the others. */
export function mostly(usual: string, ...odd: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof({ weight: 19, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...odd) })
}

/** What is sent, byte for byte. */
export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Buffer | undefined
}

export interface Told {
  readonly status: number
  readonly type: string | undefined
  readonly text: string
  readonly cacheStatus: string
  readonly headers: Readonly<Record<string, unknown>>
}

/** ms until a request is one that hangs. */
const HANGS = 60_000

/** Asks a server, and adds nothing to what is said. */
export async function send(url: string, { method, path, headers, body }: Asked): Promise<Told> {
  const outgoing = request(url + path, {
    method,
    // A connection that is kept may be ended by the server while this process makes a large body.
    agent: false,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-length': `${Buffer.byteLength(body)}` }) },
    signal: AbortSignal.timeout(HANGS),
  })
  const answered = new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
    outgoing.on('response', resolve).on('error', reject)
  })
  outgoing.end(body)
  const response = await answered
  const { 'content-type': type, 'cache-status': cacheStatus = '' } = response.headers
  return {
    status: response.statusCode as number,
    type,
    text: await text(response),
    cacheStatus: String(cacheStatus),
    headers: response.headers,
  }
}
