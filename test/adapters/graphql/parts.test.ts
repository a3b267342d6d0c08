import { useExecutionCancellation } from 'graphql-yoga'
import { describe, expect, test } from 'vitest'
import { STORES } from '../stores.ts'
import { traceOf } from '../trace.ts'
import { serveYoga } from './serveYoga.ts'
import { useTown } from './shop.ts'

describe.each(STORES)('answers in parts, by Yoga over $name', ({ make }) => {
  const open = useTown(serveYoga, make)

  test('every client of a subscription gets its complete stream, and the cache is not asked', async () => {
    const { shops, gate, runs } = await open()
    const trace = traceOf(...shops.map(({ cache }) => cache))
    gate.shut()
    const streams = [0, 0, 1, 1].map(async (i) => {
      const response = await shops[i as 0 | 1].post('subscription { ticks(to: 3) }', { accept: 'text/event-stream' })
      return dataOf(await response.text())
    })
    await gate.holds(4)
    gate.open()
    for (const events of await Promise.all(streams)) {
      expect(events.map(({ data }) => (data as { ticks: string }).ticks.replace(/ by .*/, ''))).toEqual([
        'tick 1',
        'tick 2',
        'tick 3',
      ])
    }
    expect(runs).toHaveLength(12)
    expect(trace.events).toEqual([])
  })

  test.each([
    {
      directive: '@defer',
      query: '{ product(id: 1) { id name ... @defer { slow } } }',
      own: ['product 1', 'slow 1'],
      complete: /"slow":"slow 1 by [AB]\d+"/,
    },
    {
      directive: '@stream',
      query: '{ product(id: 1) { name } letters @stream(initialCount: 1) }',
      own: ['a', 'b', 'c', 'product 1'],
      complete: /"c by [AB]\d+"/,
    },
  ])('a query with $directive runs once: a stream for who runs it, the whole for all others', async (asked) => {
    const { shops, gate, runs } = await open({ incremental: true })
    const trace = traceOf(...shops.map(({ cache }) => cache))
    const stream = async (i: 0 | 1) => {
      const response = await shops[i].post(asked.query, { accept: 'multipart/mixed' })
      expect(response.headers.get('content-type')).toMatch(/^multipart\/mixed/)
      return response.text()
    }
    gate.shut()
    const streams = [stream(0), stream(0), stream(1), stream(1)]
    await Promise.all([trace.saw('lead'), trace.saw('follow'), trace.saw('join', 2), gate.holds(1)])
    gate.open()
    const texts = await Promise.all(streams)
    await trace.saw('publish')
    texts.push(await stream(0), await stream(1))
    for (const text of texts) {
      expect(text).toMatch(asked.complete)
      expect(text.trimEnd()).toMatch(/-----$/)
      expect(text).not.toContain('__atomcache')
    }
    expect(texts.filter((text) => text.includes('"hasNext":false'))).toHaveLength(1)
    expect([...runs].sort()).toEqual([...asked.own].sort())
    expect(trace.of('hit')).toHaveLength(2)
  })

  test('a query is cached also where the client takes it as events', async () => {
    const { shops, runs } = await open()
    const trace = traceOf(shops[0].cache)
    const events: unknown[] = []
    for (const shop of shops) {
      events.push(dataOf(await (await shop.post('{ me }', { accept: 'text/event-stream' })).text()))
      await trace.saw('publish')
    }
    expect(events).toEqual(Array.from({ length: 2 }, () => [{ data: { me: 'user undefined by A1' } }]))
    expect(runs).toHaveLength(1)
  })

  test.each([
    ['and its run is cancelled', [useExecutionCancellation()]],
    ['and its run goes on', []],
  ])('when the client that leads goes away %s, the others get their answer', async (_what, before) => {
    const { shops, gate } = await open({ before })
    const trace = traceOf(...shops.map(({ cache }) => cache))
    const away = new AbortController()
    gate.shut()
    const led = shops[0].ask('{ me }', { signal: away.signal })
    led.catch(() => undefined)
    await gate.holds(1)
    const others = [shops[0].ask('{ me }'), shops[1].ask('{ me }')]
    await Promise.all([trace.saw('join'), trace.saw('follow')])
    away.abort()
    await expect(led).rejects.toThrow(/abort/i)
    gate.open()
    for (const { body } of await Promise.all(others)) {
      expect(body).toEqual({ data: { me: expect.stringMatching(/^user undefined by/) } })
    }
  })
})

/** The payloads of server-sent `next` events. */
function dataOf(stream: string): { data?: unknown }[] {
  return [...stream.matchAll(/^event: next\ndata: (.*)$/gm)].map(([, json]) => JSON.parse(json as string))
}
