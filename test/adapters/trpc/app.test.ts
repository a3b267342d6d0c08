import { describe, expect, test } from 'vitest'
import { type AppPeers, errorOf, failing, SETUPS, useApp } from './appPeers.ts'

describe.each(SETUPS)('an application %s, on %s with %s', (...setup) => {
  const { get, date, transformed } = useApp(setup)
  describe('inputs', () => {
    test('are parsed', async () => {
      const apple = { id: '1', name: 'Apple', price: 0.5, changedAt: date('2024-02-29T12:00:00.123Z') }
      expect(await get().twice(({ client }) => client().product.byId.query({ id: ' 1 ' }))).toEqual(apple)
    })

    test('are parsed by several parsers, with transforms and defaults', async () => {
      const search = (input: { text: string; max?: number; page?: number }) =>
        get().twice(({ client }) => client().product.search.query(input))
      expect(await search({ text: 'A' })).toEqual({ input: { page: 1, text: 'a' }, found: 3 })
      expect(await search({ text: 'A', page: 2 })).toEqual({ input: { page: 2, text: 'a' }, found: 3 })
      expect(await search({ text: 'E', max: 1 })).toEqual({ input: { page: 1, text: 'e', max: 1 }, found: 5 })
    })

    test('may be missing', async () => {
      expect(await get().twice(({ client }) => client().product.first.query())).toEqual(['1'])
      expect(await get().twice(({ client }) => client().product.first.query(2))).toEqual(['1', '2'])
    })

    test('are Dates', async () => {
      const since = new Date('2020-01-01')
      const sent = (transformed ? since : since.toJSON()) as Date
      expect(await get().twice(({ client }) => client().product.since.query(sent))).toEqual(date('2020-01-01'))
    })

    test('are parsed by a function', async () => {
      expect(await get().twice(({ client }) => client().product.even.query(42))).toBe(21)
      expect(await get().refusedTwice(({ client }) => client().product.even.query(41))).toMatchObject(
        failing('BAD_REQUEST', '41 is not even'),
      )
    })

    test('are parsed in front of the shared procedure and behind it', async () => {
      const greet = (name: string, language: string, loud?: boolean) =>
        get().twice(({ client }) => client({ language }).product.greet.query({ name, loud }))
      // That there is a parser behind the cache each instance learns from the first call.
      for (const { client } of [get().a, get().b]) await client().product.greet.query({ name: 'nobody' })
      expect(await greet('Ann', 'en')).toBe('Hello Ann')
      expect(await greet('Bob', 'en')).toBe('Hello Bob')
      expect(await greet('Bob', 'de')).toBe('Hallo Bob')
      expect(await greet('Bob', 'de', true)).toBe('Hallo Bob!')
    })

    test('are refused', async () => {
      const search = { text: 5 as unknown as string, page: 0 }
      const { shape } = await get().refusedTwice(({ client }) => client().product.search.query(search))
      expect(shape?.data).toMatchObject({
        code: 'BAD_REQUEST',
        httpStatus: 400,
        cause: 'ZodError',
        at: 'product.search',
      })
      expect(shape?.data.issues?.length).toBe(1)
    })

    test('are forms', async () => {
      const form = new FormData()
      form.set('title', 'Sunset')
      form.set('photo', new Blob(['bytes']), 'sunset.png')
      for (const { client } of [get().a, get().b]) {
        const answer = client({ user: 'ann' }).product.photo.mutate(form)
        expect(await answer).toEqual({ by: 'ann', title: 'Sunset', text: 'bytes' })
      }
    })
  })

  describe('outputs', () => {
    test('are stripped and transformed by their parser', async () => {
      expect(await get().twice(({ client }) => client().output.stripped.query())).toEqual({ name: 'Apple' })
      expect(await get().twice(({ client }) => client().output.transformed.query())).toBe(2024)
    })

    test('that are wrong are an error of the server', async () => {
      const wrong = failing('INTERNAL_SERVER_ERROR', 'Output validation failed')
      // With the parser in front of the cache what is kept is what the procedure returned: refused each time.
      for (const { client } of [get().a, get().b]) {
        expect(await errorOf(client().output.wrong.query())).toMatchObject(wrong)
        expect(await errorOf(client().output.wrongMutation.mutate())).toMatchObject(wrong)
      }
    })

    test('are nothing, and values that look like it', async () => {
      expect(await get().twice(({ client }) => client().output.nothing.query())).toBe(undefined)
      expect(await get().twice(({ client }) => client().output.null.query())).toBe(null)
      const falsy = (input: '' | '0' | 'false') => get().twice(({ client }) => client().output.falsy.query(input))
      expect([await falsy(''), await falsy('0'), await falsy('false')]).toEqual(['', 0, false])
    })

    test('are what the transformer makes of them', async () => {
      const rich = await get().twice(({ client }) => client().output.rich.query())
      expect(rich).toEqual({ at: date('1970-01-01'), list: [1, null], text: 'ü\u2028' })
      expect('none' in rich).toBe(transformed)
    })
  })

  describe('errors', () => {
    test.each([
      ['NOT_FOUND', 404],
      ['CONFLICT', 409],
      ['TOO_MANY_REQUESTS', 429],
      ['UNAUTHORIZED', 401],
      ['FORBIDDEN', 403],
      ['PAYLOAD_TOO_LARGE', 413],
    ] as const)('%s has its code, its status and what errorFormatter makes of it', async (code, httpStatus) => {
      const { message, data } = await get().refusedTwice(({ client }) =>
        client({ language: 'de' }).failure.code.query(code),
      )
      expect(message).toBe(`it is ${code}`)
      expect(data).toEqual({
        code,
        httpStatus,
        path: 'failure.code',
        at: 'failure.code',
        language: 'de',
        cause: 'RangeError',
      })
      expect(get().errors.slice(-2)).toEqual([code, code])
      expect(await errorOf(get().a.client().failure.mutation.mutate(code))).toMatchObject(failing(code, code))
    })

    test('that are none of tRPC are of the server', async () => {
      expect(await get().refusedTwice(({ client }) => client().failure.plain.query())).toMatchObject({
        message: 'out of bounds',
        data: { code: 'INTERNAL_SERVER_ERROR', cause: 'RangeError' },
      })
      const text = await get().refusedTwice(({ client }) => client().failure.text.query())
      expect(text).toMatchObject(failing('INTERNAL_SERVER_ERROR', /./))
    })

    test('are formatted by their procedure', async () => {
      const taken = await get().refusedTwice(({ client }) => client().failure.formatted.query('taken'))
      expect(taken.shape?.data).toEqual({ code: 'CONFLICT', httpStatus: 409, path: 'failure.formatted', own: 'taken' })
      const short = await get().refusedTwice(({ client }) => client().failure.formatted.query('x'))
      expect(short.shape?.data).toMatchObject({ code: 'BAD_REQUEST', own: expect.stringContaining('3') })
    })

    test('are the same for all who ask at once', async () => {
      const asks = Array.from({ length: 6 }, () => get().a.client).map(
        () =>
          ({ client }: { client: AppPeers['a']['client'] }) =>
            errorOf(client().failure.formatted.query('all at once')),
      )
      const shapes = (await get().atOnce(asks)).map((each) => each.status === 'fulfilled' && each.value.shape?.data)
      expect(shapes).toEqual(
        shapes.map(() => ({ code: 'CONFLICT', httpStatus: 409, path: 'failure.formatted', own: 'all at once' })),
      )
    })

    test('of procedures that are not there', async () => {
      const unknown = 'unknown' as 'byId'
      expect(await get().refusedTwice(({ client }) => client().product[unknown].query({ id: '1' }))).toMatchObject(
        failing('NOT_FOUND', 'No procedure found on path "product.unknown"'),
      )
    })

    test('of HTTP', async () => {
      for (const { url } of [get().a, get().b]) {
        const status = async (path: string, init?: RequestInit) => (await fetch(`${url}/${path}`, init)).status
        expect(await status('product.rename?input=%7B%7D')).toBe(405)
        expect(await status('product.byId?input=%7B')).toBe(400)
        expect(await status('product.byId?input=%7B%22id%22%3A%22none%22%7D')).toBe(transformed ? 400 : 404)
      }
    })
  })

  describe('contexts', () => {
    test('have what the request says', async () => {
      expect(await get().twice(({ client }) => client({ language: 'de-AT' }).hello.query())).toBe('Hallo')
      expect(await get().twice(({ client }) => client({ language: 'en' }).hello.query())).toBe('Hello')
    })

    test('are extended by middlewares that may refuse', async () => {
      const mine = (user: string) => get().twice(({ client }) => client({ user }).order.mine.query())
      expect([await mine('ann'), await mine('bob')]).toEqual([["ann's order"], ["bob's order"]])
      expect(await get().refusedTwice(({ client }) => client().order.mine.query())).toMatchObject(
        failing('UNAUTHORIZED', 'who are you?'),
      )
    })

    test('are refused by what the meta of a procedure says', async () => {
      expect(await get().twice(({ client }) => client({ user: 'root' }).order.all.query())).toBe('admin')
      expect(await get().twice(({ client }) => client({ user: 'eve' }).order.role.query())).toBe('customer')
      expect(await get().refusedTwice(({ client }) => client({ user: 'eve' }).order.all.query())).toMatchObject(
        failing('FORBIDDEN', 'FORBIDDEN'),
      )
    })

    test('are extended by what the input is before it is parsed', async () => {
      const ofClub = (user: string) =>
        get().twice(({ client }) => client({ user }).order.ofClub.query({ club: 'ann,bob' }))
      expect(await ofClub('ann')).toBe('orders of ann,bob')
      const asked = get().refusedTwice(({ client }) => client({ user: 'eve' }).order.ofClub.query({ club: 'ann,bob' }))
      expect(await asked).toMatchObject(failing('FORBIDDEN', 'ann,bob'))
    })

    test('are seen by a middleware around everything, each time', async () => {
      const before = get().shop.log.length
      await get().twice(({ client }) => client().product.byId.query({ id: '6' }))
      await get().refusedTwice(({ client }) => client().product.byId.query({ id: 'none' }))
      expect(get().shop.log.slice(before)).toEqual([
        ...['product.byId ok', 'product.byId ok'],
        ...['product.byId NOT_FOUND', 'product.byId NOT_FOUND'],
      ])
    })
  })
})
