import type { ExecutionResult } from 'graphql'
import { describe, expect, test } from 'vitest'
import { STORES } from '../stores.ts'
import { crowd } from './market.ts'
import type { ShopContext } from './schema.ts'
import { serveEnvelop } from './serveEnvelop.ts'
import { serveYoga } from './serveYoga.ts'
import { type Answer, useTown } from './shop.ts'

const FRAMEWORKS = [
  { framework: 'Yoga', serve: serveYoga },
  { framework: 'envelop', serve: serveEnvelop },
]

const PRODUCT = '{ product(id: 1) { name } }'

describe.each(FRAMEWORKS)('what one client is told stays with it, in $framework', ({ serve }) => {
  describe.each(STORES)('over $name', ({ make }) => {
    const open = useTown(serve, make)

    test('the headers in extensions.http of a leader reach neither those who join, nor follow, nor hit', async () => {
      const answers = await crowd(await open({ session: () => null, before: [setsCookie] }), PRODUCT)
      expect(answers.map(cookieOf)).toEqual(['user=u0', null, null, null, null])
      expect([...new Set(answers.map(({ text }) => text))]).toEqual([answers[0]?.text])
      expect(answers[0]?.text).not.toContain('user=')
    })

    test('nor do those of a result with errors', async () => {
      const answers = await crowd(await open({ session: () => null, before: [setsCookie] }), '{ fails }')
      // Those who ran it have their own; those who waited have none.
      expect(answers.map(cookieOf)).toEqual(['user=u0', null, null, null, 'user=u4'])
    })

    test('what a plugin writes into a result changes it for its own client only', async () => {
      const town = await open({ session: () => null, before: [hasGuestbook], after: [writes] })
      const answers = await crowd(town, PRODUCT)
      expect(answers.map(({ body }) => body)).toEqual(
        answers.map((_, i) => ({
          data: { product: { name: expect.stringMatching(new RegExp(`^product 1 by [AB]1 for u${i}$`)) } },
          extensions: { for: `u${i}`, guests: { names: [`u${i}`] } },
        })),
      )
      expect(town.runs).toHaveLength(1)
    })

    test('what a plugin removes from a result is there for the others', async () => {
      const town = await open({ session: () => null, before: [hasGuestbook], after: [strips] })
      const answers = await crowd(town, PRODUCT)
      for (const { body } of answers) {
        expect(body).toEqual({ data: { product: {}, had: ['name'] }, extensions: { had: ['guests'] } })
      }
    })
  })
})

function cookieOf({ headers }: Answer): string | null {
  return headers.get('set-cookie')
}

type Execute = (args: { contextValue: ShopContext }) => ExecutionResult | Promise<ExecutionResult>

/** What an envelop plugin has for onExecute, as far as it is used here. */
interface Hook {
  readonly executeFn: Execute
  readonly setExecuteFn: (execute: Execute) => void
}

/** A plugin behind the cache: part of what the leader runs. */
function inner(change: (result: ExecutionResult, user: string | undefined) => ExecutionResult): object {
  return {
    onExecute({ executeFn, setExecuteFn }: Hook) {
      setExecuteFn(async (args) => change(await executeFn(args), args.contextValue.user))
    },
  }
}

const setsCookie = inner((result, user) => ({
  ...result,
  extensions: { http: { headers: { 'set-cookie': `user=${user}` } } },
}))

const hasGuestbook = inner((result) => ({ ...result, extensions: { guests: { names: [] } } }))

interface Shown {
  data: { product: { name?: string }; had?: string[] }
  extensions: { for?: string | undefined; guests?: { names: (string | undefined)[] }; had?: string[] }
}

/** A plugin in front of the cache: it sees the result of every request. */
function outer(change: (result: Shown, user: string | undefined) => void): object {
  return {
    onExecute: ({ args }: { args: { contextValue: ShopContext } }) => ({
      onExecuteDone: ({ result }: { result: Shown }) => change(result, args.contextValue.user),
    }),
  }
}

const writes = outer((result, user) => {
  result.data.product.name += ` for ${user}`
  result.extensions.for = user
  result.extensions.guests?.names.push(user)
})

const strips = outer((result) => {
  result.data.had = Object.keys(result.data.product)
  result.extensions.had = Object.keys(result.extensions)
  delete result.data.product.name
  delete result.extensions.guests
})
