import { describe, expect, test, vi } from 'vitest'
import { STORES } from '../stores.ts'
import { serveEnvelop } from './serveEnvelop.ts'
import { serveYoga } from './serveYoga.ts'
import { useTown } from './shop.ts'

vi.hoisted(() => {
  process.env.NODE_ENV = 'development'
})

/** As tracing plugins do. */
const addsExtensions = {
  onExecute: () => ({
    onExecuteDone({ result }: { result: { extensions?: object; data: { product: { name: string } } } }) {
      result.extensions = { ...result.extensions, traced: true }
      result.data.product.name += '!'
    },
  }),
}

const FRAMEWORKS = [
  { framework: 'Yoga', serve: serveYoga },
  { framework: 'envelop', serve: serveEnvelop },
]

describe.each(FRAMEWORKS)('with NODE_ENV=development, in $framework', ({ serve }) => {
  describe.each(STORES)('over $name', ({ make }) => {
    const open = useTown(serve, make)

    test('plugins may write into results as they do in production', async () => {
      const { shops } = await open({ after: [addsExtensions] })
      for (const shop of [...shops, ...shops]) {
        expect((await shop.ask('{ product(id: 1) { name } }')).body).toEqual({
          data: { product: { name: 'product 1 by A1!' } },
          extensions: { traced: true, responseCache: expect.anything() },
        })
      }
    })
  })
})
