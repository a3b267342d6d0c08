// Asks examples/trpc.ts; for the client nothing is different.
//   npx tsx examples/trpcClient.ts http://localhost:4000
import { createTRPCClient, httpBatchLink } from '@trpc/client'
import type { AppRouter } from './trpc.ts'

const [, , url = 'http://localhost:4000'] = process.argv
const { product, orders } = createTRPCClient<AppRouter>({
  links: [httpBatchLink({ url, headers: { authorization: 'ann' } })],
})

// Each call of a batch is cached by itself: the first two are the same one.
const [first, again, mine] = await Promise.all([
  product.byId.query({ id: '42' }),
  product.byId.query({ id: '42' }),
  orders.query(),
])
console.log({ first, again, mine })
const kept = await product.byId.query({ id: '42' }) // a hit, from whichever instance
await product.rename.mutate({ id: '42', name: 'Answer' })
const renamed = await product.byId.query({ id: '42' }) // asked for anew: the mutation invalidated it
console.log({ kept, renamed })
