import { expect, it } from 'vitest'
import { internalsOf } from '../../src/core/internals.ts'
import type { Order } from '../../src/core/order.ts'
import { onEveryStore } from './everyStore.ts'

/** Longer than an id may be: the store knows it by a digest. */
const LONG = 'part '.repeat(100)

onEveryStore((service) => {
  async function open() {
    const { cache, trace } = await service.open({ commandTimeout: 5000, leaseTtl: 60_000 })
    const internals = internalsOf(cache)
    let clock: number | undefined
    /** Computes a value with these tags; whether it is stored. */
    async function stores(
      name: string,
      tags: readonly string[],
      since?: Order['since'],
      meanwhile: () => Promise<void> = async () => undefined,
    ): Promise<boolean> {
      const id = internals.idOf('a value', [name], []) as string
      const onLead = (now: number | undefined) => {
        clock = now
      }
      const order = { id, key: [name], policy: internals.policy({ tags }), forced: false, since, onLead }
      const before = trace.of('publish').length + trace.of('release').length
      const load = async () => {
        await meanwhile()
        return name
      }
      await internals.ask(order, load, undefined)
      while (trace.of('publish').length + trace.of('release').length === before) await cache.has('nothing')
      return (await internals.peek(id, () => true)) !== undefined
    }
    let times = 0
    const now = async () => {
      await stores(`now ${++times}`, [])
      return clock as number
    }
    return { cache, stores, now }
  }

  it.each(['part', LONG])(
    'a value with a part from before an invalidation of its tag is not stored: %.4s',
    async (part) => {
      const { cache, stores, now } = await open()
      const before = await now()
      await cache.invalidate({ tags: [part] })
      const since = () => new Map([[part, before]])
      expect(await stores('made of it', ['own', part], since)).toBe(false)
      expect(await stores('without it', ['own', part])).toBe(true)
    },
  )

  it('an invalidation of another tag says nothing of the part', async () => {
    const { cache, stores, now } = await open()
    const before = await now()
    await cache.invalidate({ tags: ['own', 'other part'] })
    const after = await now()
    const since = () =>
      new Map([
        ['part', before],
        ['other part', after],
      ])
    expect(await stores('made of both', ['own', 'part', 'other part'], since)).toBe(true)
  })

  it('a clock that is ahead makes no flight younger', async () => {
    const { cache, stores } = await open()
    const since = () => new Map([['part', Number.POSITIVE_INFINITY]])
    const invalidated = () => cache.invalidate({ tags: ['part'] })
    expect(await stores('made of it', ['part'], since, invalidated)).toBe(false)
    expect(await stores('made of it', ['part'], since)).toBe(true)
  })
})
