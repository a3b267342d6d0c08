// What belongs together goes together: pages are tagged by the products on them, and go when one of these changes.
//   curl 'localhost:4000/pages/summer'; curl -X PUT 'localhost:4000/products/42?price=7'; curl 'localhost:4000/pages/summer'
import { createServer } from 'node:http'
import { createCache } from 'atomcache'
import { redisStore } from 'atomcache/redis'

const { PORT = '4000', REDIS_URL } = process.env

const cache = createCache({
  namespace: 'tags',
  store: REDIS_URL === undefined ? undefined : redisStore(REDIS_URL),
  ttl: Number.POSITIVE_INFINITY, // nothing goes stale by itself
})

const prices: Record<string, number> = { 41: 5, 42: 6 } // the database, in its memory: run one of this example

const page = cache.wrap(async (name: string) => ({ name, at: Math.random(), products: Object.entries(prices) }), {
  key: (name) => ['page', name],
  tags: (_name, { products }) => products.map(([id]) => `Product:${id}`), // known when it is computed
})

const server = createServer(async ({ method, url }, response) => {
  try {
    const { pathname, searchParams } = new URL(`http://localhost${url}`)
    const [, kind, id = ''] = pathname.split('/')
    if (method === 'PUT' && kind === 'products') {
      prices[id] = Number(searchParams.get('price'))
      await cache.invalidate({ tags: [`Product:${id}`] }) // when it has resolved nobody reads the old price any more
      response.writeHead(204).end()
    } else {
      response.setHeader('content-type', 'application/json').end(JSON.stringify(await page(id)))
    }
  } catch (error) {
    response.writeHead(500).end(String(error))
  }
})
server.listen(PORT, () => console.log('listening on', server.address()))
