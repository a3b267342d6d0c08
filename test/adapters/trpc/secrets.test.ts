import { expect, test } from 'vitest'
import { z } from 'zod'
import { cached } from '../../../src/adapters/trpc/index.ts'
import { watchRedis } from '../secrets.ts'
import { traceOf } from '../trace.ts'
import { type Bench, t, useTwins } from './twins.ts'

const redis = watchRedis()
const open = useTwins(redis.store)

test('neither scope nor input is to be read in Redis, events or warnings', async () => {
  const [user, word] = [crypto.randomUUID(), crypto.randomUUID()]
  for (const isHeard of [true, false]) {
    const routerOf = ({ cache, run }: Bench) =>
      t.router({
        parsed: t.procedure
          .input(z.object({ word: z.string() }))
          .use(cached({ cache, scope: ({ ctx }: { ctx: { user: string | undefined } }) => ctx.user }))
          .query(() => run('parsed')),
        raw: t.procedure
          .use(cached({ cache, scope: user }))
          .input(z.object({ word: z.string() }))
          .query(() => run('raw')),
      })
    const { a, b, runs, gate } = await open(routerOf, { cache: { commandTimeout: 5000 } })
    const trace = isHeard ? traceOf(a.cache, b.cache) : undefined
    gate.shut()
    const asked = [a, b].flatMap((twin) => {
      const client = twin.client({ user })
      return [client.parsed.query({ word }), client.raw.query({ word })]
    })
    await gate.holds(2)
    gate.open()
    await Promise.all(asked)
    await a.client({ user }).parsed.query({ word })
    // Nobody has no scope, which is told.
    await a.client().parsed.query({ word })
    expect(runs).toHaveLength(3)
    await redis.expectNothingOf([user, word], trace?.events ?? [])
  }
})
