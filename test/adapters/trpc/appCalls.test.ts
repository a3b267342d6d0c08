import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { assertCacheOrder } from '../../../src/adapters/trpc/index.ts'
import { LAZY } from './app.ts'
import { type AppPeers, errorOf, failing, type Peer, SETUPS, useApp } from './appPeers.ts'

describe.each(SETUPS)('calls of an application %s, on %s with %s', (...setup) => {
  const { get } = useApp(setup)

  describe('mutations', () => {
    test('are seen by the next query, wherever it is asked', async () => {
      const { a, b } = get()
      const name = async (from: typeof a) => (await from.client().product.byId.query({ id: '2' })).name
      expect([await name(a), await name(b)]).toEqual(['Bread', 'Bread'])
      for (const [by, next] of [
        [a, 'Rye'],
        [b, 'Oats'],
      ] as const) {
        const renamed = await by.client({ user: 'ann' }).product.rename.mutate({ id: '2', name: next })
        expect(renamed).toMatchObject({ id: '2', name: next })
        expect([await name(a), await name(b)]).toEqual([next, next])
      }
    })

    test('are run each time', async () => {
      const rename = () => get().a.client({ user: 'ann' }).product.rename.mutate({ id: '3', name: 'Brie' })
      const before = get().shop.log.length
      expect(await rename()).toEqual(await rename())
      expect(get().shop.log.slice(before)).toEqual(['product.rename ok', 'product.rename ok'])
    })

    test('that are refused change nothing', async () => {
      const rename = (user: string | undefined, id: string) =>
        errorOf(
          get()
            .a.client(user === undefined ? {} : { user })
            .product.rename.mutate({ id, name: 'X' }),
        )
      expect(await rename(undefined, '4')).toMatchObject(failing('UNAUTHORIZED', 'who'))
      expect(await rename('ann', '44')).toMatchObject(failing('NOT_FOUND', '44'))
      expect(await get().twice(({ client }) => client().product.byId.query({ id: '4' }))).toMatchObject({
        name: 'Dates',
      })
    })
  })

  describe('routers', () => {
    test('are nested, merged and lazy', async () => {
      expect(await get().twice(({ client }) => client().archive.year.query(1999))).toBe('the year 1999')
      const mine = get().twice(({ client }) => client({ user: 'zoe' }).archive.deep.mine.query())
      expect(await mine).toBe('of zoe, long ago')
    })

    test('have their caches in the right places', () => {
      expect(() => assertCacheOrder(get().a.router, { lazy: LAZY })).not.toThrow()
    })

    test('are called on the server', async () => {
      const as = (user: string | undefined) => ({ user, language: 'en', shop: get().shop })
      const called = get().twice(async ({ router }) => {
        const caller = router.createCaller(as('kim'))
        return [await caller.order.mine(), await caller.product.search({ text: 'gg' }), await caller.archive.year(7)]
      }, 3)
      expect(await called).toEqual([["kim's order"], { input: { page: 1, text: 'gg' }, found: 1 }, 'the year 7'])
      const failures = [get().a, get().b].map(({ router }) => router.createCaller(as(undefined)).order.mine())
      for (const refused of failures) await expect(refused).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    })

    test('are called by their own procedures', async () => {
      // The first product is there already; both instances keep what the desk returns, and the orders in it.
      const desk = ({ client }: AppPeers['a']) => client({ user: 'joe' }).desk.query()
      const first = await desk(get().a)
      expect(first).toMatchObject({ orders: ["joe's order"], first: { name: 'Apple' } })
      expect(await desk(get().b)).toEqual(first)
      const orders = get().b.client({ user: 'joe' }).order.mine.query()
      expect(await orders).toEqual(first.orders)
    })
  })

  describe('batches', () => {
    test.each(['batch', 'stream'] as const)('%s: each call has its own answer', async (link) => {
      const asked = get().twice(
        ({ client }) => {
          const { product, failure, order } = client({ user: link, link })
          const broken = errorOf(failure.plain.query()).then(({ data }) => data?.code)
          const id = link === 'batch' ? '5' : 'none'
          const found = product.first.query(link === 'batch' ? 5 : 6)
          return Promise.all([found, broken, order.mine.query(), product.byId.query({ id }).catch(String)])
        },
        link === 'batch' ? 3 : 2,
      )
      expect(await asked).toEqual([
        ['1', '2', '3', '4', '5', '6'].slice(0, link === 'batch' ? 5 : 6),
        'INTERNAL_SERVER_ERROR',
        [`${link}'s order`],
        link === 'batch' ? expect.objectContaining({ name: 'Eggs' }) : expect.stringContaining('no product none'),
      ])
    })

    test.each(['single', 'batch', 'stream'] as const)('%s: mutations', async (link) => {
      const { product } = get().a.client({ user: 'ann', link })
      const names = ['x', 'y'].map((name) => product.rename.mutate({ id: '3', name: `${link} ${name}` }))
      expect((await Promise.all(names)).map((answer) => answer?.name)).toEqual([`${link} x`, `${link} y`])
    })

    test('stream: values with promises in them, and generators', async () => {
      for (const { client } of [get().a, get().b]) {
        const { stream } = client({ link: 'stream' })
        const { now, later } = await stream.later.query()
        expect([now, await later]).toEqual(['now', 'later'])
        expect(await listOf(await stream.counted.query(3))).toEqual([1, 2, 3])
      }
    })
  })

  describe('subscriptions', () => {
    const ticks = (peer: Peer, user: string, input: { until: number; lastEventId?: number }) =>
      new Promise<string[]>((resolve, onError) => {
        const seen: string[] = []
        const onData = ({ id, data }: { id: string; data: string }) => seen.push(`${id}: ${data}`)
        peer.client({ user }).stream.ticks.subscribe(input, { onData, onError, onComplete: () => resolve(seen) })
      })

    test('begin anew each time, and go on where they were', async () => {
      const { a, b } = get()
      for (const peer of [a, b]) expect(await ticks(peer, 'ann', { until: 2 })).toEqual(['1: ann 1', '2: ann 2'])
      expect(await ticks(a, 'bob', { until: 3, lastEventId: 2 })).toEqual(['3: bob 3'])
    })

    test('end with an error', async () => {
      for (const { client } of [get().a, get().b]) {
        const seen: number[] = []
        const error = await new Promise((onError) => {
          client().stream.broken.subscribe(undefined, { onData: (data) => seen.push(data), onError })
        })
        expect([seen, error]).toEqual([[1], expect.objectContaining(failing('BAD_REQUEST', 'no more'))])
      }
    })

    test('end when their client goes away', async () => {
      for (const { client } of [get().a, get().b]) {
        const closed = once(get().shop.events, 'closed')
        const { unsubscribe } = client().stream.endless.subscribe('one', { onData: () => unsubscribe() })
        expect(await closed).toEqual(['one'])
      }
    })
  })

  test('a client that goes away is noticed, and holds nobody up', async () => {
    const { a, b, shop } = get()
    shop.slow.add('one')
    const away = new AbortController()
    const [asked, left] = [once(shop.events, 'slow'), once(shop.events, 'left')]
    const led = a.client().slow.query('one', { signal: away.signal })
    await asked
    away.abort()
    expect((await errorOf(led)).message).toMatch(/abort/i)
    await left
    shop.slow.delete('one')
    expect(await get().twice(({ client }) => client().slow.query('one'))).toBe('slow one')
    expect(await b.client().slow.query('one')).toBe('slow one')
  })
})

async function listOf<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const value of values) list.push(value)
  return list
}
