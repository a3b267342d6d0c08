import { expect, inject, test } from 'vitest'
import { cached } from '../../../src/adapters/trpc/index.ts'
import { redisStore } from '../../../src/stores/redis/index.ts'
import { watchCommands } from '../../redis/monitor.ts'
import { settled } from '../graphql/market.ts'
import { type Bench, t, useTwins } from './twins.ts'

const open = useTwins(() => redisStore(inject('redisUrl')))
const routerOf = ({ cache, run }: Bench) =>
  t.router({
    product: t.procedure
      .input((given) => String(given))
      .use(cached({ cache, scope: null, ttl: 60_000 }))
      .query(({ input }) => run(`product ${input}`)),
    mine: t.procedure
      .use(async ({ next }) => next())
      .use(cached({ cache, scope: ({ ctx }) => ctx.user, ttl: 60_000 }))
      .query(() => run('mine')),
  })

test.each(['batch', 'stream'] as const)(
  'the hits of a %s are one command, whatever stands before their caches',
  async (link) => {
    const { a, b, runs } = await open(routerOf)
    const ask = ({ client }: typeof a) => {
      const { product, mine } = client({ user: 'ann', link })
      return Promise.all([product.query('1'), product.query('2'), mine.query(), product.query('1')])
    }
    const first = await ask(a)
    await settled(a.cache)
    await using watch = await watchCommands(inject('redisUrl'))
    expect(await ask(b)).toEqual(first)
    const sent = (await watch.stop()).filter(({ args }) => args.some((arg) => arg.startsWith(b.cache.namespace)))
    expect(sent.map(({ args: [name = '', ...keys] }) => [name.toLowerCase(), keys.length])).toEqual([['mget', 3]])
    expect(runs).toHaveLength(3)
  },
)
