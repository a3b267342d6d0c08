import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { redisStore } from '../../src/stores/redis/index.ts'
import { transformer } from '../adapters/trpc/twins.ts'
import { testNamespace } from '../redis/namespace.ts'
import {
  type Asked,
  hostileText,
  jsonText,
  LIMIT,
  members,
  mostly,
  runs,
  send,
  sometimesDamaged,
  type Told,
} from './fuzz.ts'
import { openTrpcTwins, PATHS, type TrpcTwins } from './trpcTwins.ts'

const idLike = fc.oneof(
  fc.constantFrom('{"id":"1"}', '{"id":" 1 "}', '{"id":1}', '{"id":"1","n":-0}', '{"n":1}'),
  members(jsonText, fc.constantFrom('id', 'n', '__proto__')),
)

/** It has no text for what is named `__proto__`. */
const asDevalue = (json: fc.Arbitrary<string>) =>
  json.filter((text) => !text.includes('__proto__')).map((text) => transformer.serialize(JSON.parse(text)))

/** A few bytes of devalue's text that stand for what they may: holes, cycles, types, indexes of nothing. */
const devalued = fc.oneof(
  asDevalue(fc.oneof(jsonText, idLike)),
  fc.constantFrom(
    '[["Date","x"]]',
    '[{"a":0}]',
    '[["Map",1,2],1,2]',
    '[["Set",0]]',
    '[["BigInt","1"]]',
    '[-1]',
    '[[-2]]',
    '-3',
    '[["__proto__",1]]',
  ),
  fc.constantFrom(
    '[["Buffer",1],":"]',
    '[["null","__proto__",1],1]',
    '[["URL","x:"]]',
    '[["RegExp","(a+)+$","g"]]',
    '[["Object",1],"x"]',
  ),
)
const requestOf = (input: fc.Arbitrary<string>): fc.Arbitrary<Asked> =>
  fc
    .record({
      paths: fc.oneof(
        { weight: 9, arbitrary: fc.array(fc.constantFrom(...PATHS), { minLength: 1, maxLength: 3 }) },
        {
          weight: 1,
          arbitrary: fc.array(
            hostileText.map((text) => encodeURIComponent(text.toWellFormed())),
            { maxLength: 2 },
          ),
        },
      ),
      inputs: fc.array(fc.option(sometimesDamaged(input), { freq: 6 }), {
        minLength: 3,
        maxLength: 3,
      }),
      isBatch: fc.constantFrom(true, false),
      more: mostly('', '&input=1', '&batch=0', '&batch=1', '&x=', '&', '%'),
      method: mostly('GET', 'POST', 'HEAD', 'PUT'),
      headers: fc.record({
        authorization: fc.constantFrom('', 'ann', 'bob', 'ANN', 'null', '__proto__', 'a\u00e9'),
        accept: mostly('', 'application/jsonl', 'text/event-stream', 'x'),
        'trpc-accept': mostly('', 'application/jsonl', 'x'),
        'if-none-match': fc.constantFrom('', '"guess"', 'W/"guess"', '"a", *'),
        'cache-control': fc.constantFrom('', 'no-cache', 'only-if-cached'),
        'content-type': fc.constantFrom('application/json', 'application/json', '', 'text/plain'),
      }),
    })
    .map(({ paths, inputs, isBatch, more, method, headers }): Asked => {
      const given = inputs.slice(0, Math.max(1, paths.length))
      // Of a batch one object by place, as the client sends it.
      const batched = `{${given.flatMap((one, i) => (one === null ? [] : [`"${i}":${one}`])).join()}}`
      const sent = isBatch ? batched : (given[0] ?? undefined)
      const path = `/${(isBatch ? paths : paths.slice(0, 1)).join()}`
      const query = `${isBatch ? 'batch=1' : ''}${more}`
      const said = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== ''))
      if (method === 'POST' || method === 'PUT')
        return { method, path: `${path}?${query}`, headers: said, body: sent ?? '' }
      const inUrl = sent === undefined ? '' : `&input=${encodeURIComponent(sent.toWellFormed())}`
      return { method, path: `${path}?${query}${inUrl}`, headers: said }
    })

/** What counts of an answer; a stream is in the order in which calls end. */
const answer = ({ status, type, text }: Told) => ({
  status,
  type,
  text: text.endsWith('\n') ? 'a stream' : text,
})

describe.each([
  { form: 'JSON', rich: false, input: fc.oneof(jsonText, idLike) },
  { form: 'devalue', rich: true, input: devalued.map((text) => JSON.stringify(text)) },
])('tRPC over $form', ({ rich, input }) => {
  let twins: TrpcTwins
  beforeAll(async () => {
    twins = await openTrpcTwins(redisStore(inject('redisUrl')), testNamespace('hostile'), rich)
  })
  afterAll(() => twins[Symbol.asyncDispose]())

  test('whatever is sent: the answer is that of the server without a cache, twice', { timeout: LIMIT }, async () => {
    let [valid, hits] = [0, 0]
    const parameters = runs(100)
    await fc.assert(
      fc.asyncProperty(requestOf(input), async (asked) => {
        const expected = answer(await send(twins.plain, asked))
        if (expected.status === 200) valid++
        for (const [form, url] of Object.entries(twins.cached)) {
          for (const time of ['first', 'second']) {
            const told = await send(url, asked)
            expect({ form, time, ...answer(told) }).toEqual({ form, time, ...expected })
            if (told.cacheStatus.includes('hit')) hits++
          }
        }
      }),
      parameters,
    )
    console.log(`${valid} valid, ${hits} hits of ${parameters.numRuns}`)
    expect(valid).toBeGreaterThan(parameters.numRuns / 15)
    expect(hits).toBeGreaterThan(parameters.numRuns / 15)
  })
})
