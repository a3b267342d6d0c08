import { describe, expect, test } from 'vitest'
import { STORES } from '../stores.ts'
import { traceOf } from '../trace.ts'
import { describeResponses } from './contract.ts'
import { serveApollo4, serveApollo5 } from './serveApollo.ts'
import { serveMercurius } from './serveMercurius.ts'
import { useTown } from './shop.ts'

describe.each([
  { server: 'Apollo Server 5', serve: serveApollo5 },
  { server: 'Apollo Server 4', serve: serveApollo4 },
  { server: 'Mercurius', serve: serveMercurius },
])('two servers of $server', ({ serve }) => {
  describe.each(STORES)('over $name', ({ make }) => {
    const open = useTown(serve, make)
    describeResponses(open)

    test('a mutation has invalidated what it returns, on both, when it is answered', async () => {
      const { shops, runs } = await open()
      const [a, b] = shops
      const trace = traceOf(a.cache, b.cache)
      const query = 'query ($id: ID!) { product(id: $id) { name } }'
      const ask = (shop: typeof a, id: string) => shop.ask(query, { variables: { id } })
      const [one, two] = [await ask(a, '1'), await ask(a, '2')]
      await trace.saw('publish', 2)
      expect((await b.ask('mutation { relabel(id: 1) { name } }')).body).toEqual({
        data: { relabel: { name: 'relabel 1 by B1' } },
      })
      const again = await ask(b, '1')
      expect(again.body).toEqual({ data: { product: { name: 'product 1 by B2' } } })
      expect(again.text).not.toBe(one.text)
      expect((await ask(b, '2')).text).toBe(two.text)
      expect(runs).toEqual(['product 1', 'product 2', 'relabel 1', 'product 1'])
    })

    test('who waits for a result with data and errors has both', async () => {
      const { shops, gate, runs } = await open()
      const trace = traceOf(...shops.map(({ cache }) => cache))
      gate.shut()
      const asking = shops.map((shop) => shop.ask('{ partly }'))
      await Promise.all([trace.saw('follow'), gate.holds(1)])
      gate.open()
      for (const { body } of await Promise.all(asking)) {
        expect(body).toMatchObject({
          data: { partly: [expect.stringMatching(/^partly by [AB]1$/), null] },
          errors: [{ message: 'no second', path: ['partly', 1] }],
        })
      }
      expect(runs).toEqual(['partly'])
    })

    test('what is not valid is refused as ever', async () => {
      const { shops, runs } = await open()
      const trace = traceOf(...shops.map(({ cache }) => cache))
      for (const query of ['{ unknown }', '{ me', 'query ($id: ID!) { product(id: $id) { name } }']) {
        const { status, body } = await shops[0].ask(query)
        expect(status).toBeGreaterThanOrEqual(query.includes('$id') ? 200 : 400)
        expect(body.data ?? null).toBeNull()
      }
      expect(runs).toEqual([])
      expect(trace.of('publish')).toEqual([])
    })
  })
})
