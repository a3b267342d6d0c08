import { Redis } from 'ioredis'
import { afterAll, expect, inject, test } from 'vitest'
import { type Instance, useCrew } from './crew.ts'

const crew = useCrew(4)
const url = inject('redisUrl')
const client = new Redis(url)
afterAll(() => client.disconnect())

/** No lease ends, and no budget is too small for a busy machine. */
const LONG = { leaseTtl: 60_000, commandTimeout: 10_000 }

const KEYS = Array.from({ length: 1500 }, (_, i) => `k${i}`)

async function left({ process }: Instance): Promise<number> {
  return (await process.call('getMany', KEYS)).filter((value) => value !== undefined).length
}

/** Without what ends by itself: the clock and the states of tags. */
async function keysOf({ namespace }: Instance): Promise<string[]> {
  const keys = await client.keys(`${namespace}:*`)
  return keys.filter((key) => !key.endsWith(':state') && key !== `${namespace}:clock`)
}

test('one process clears while another computes: its value is stored nowhere, and all are told', async () => {
  const instances = await crew.open({ url, cache: LONG })
  const [a, b, c, d] = instances
  const elsewhere = `${a.namespace}x:{k}`
  await client.set(elsewhere, 'kept')
  await a.process.call('setMany', KEYS, ['t'])
  const led = a.ask('k', 5, { held: true, value: 'old' })
  await a.saw('load')
  const followed = c.ask('k', 5, { value: 'new' })
  await c.saw('follow')

  await b.process.call('clear')
  await Promise.all([a, c, d].map((instance) => instance.saw('clear')))
  // Who waited was told, and led next: before the second pass, which ends that flight as well, or after it.
  expect((await followed).values).toEqual(['new'])
  for (const instance of instances) expect(await left(instance)).toBe(0)
  const late = await Promise.all([a, b, d].map((instance) => instance.ask('k', 5, { value: 'new' })))
  for (const { values } of late) expect(values).toEqual(['new'])
  await a.finish('k')
  expect((await led).values).toEqual(['old'])
  await a.saw('fenced')
  const stored = await Promise.all(instances.map(({ process }) => process.call('get', 'k')))
  expect(stored).toEqual(Array(4).fill('new'))
  for (const [instance, remote] of [
    [a, true],
    [b, false],
    [c, true],
    [d, true],
  ] as const) {
    expect(await instance.events('clear')).toEqual([{ type: 'clear', remote }])
  }
  expect(await keysOf(a)).toEqual([`${a.namespace}:{k}`])
  expect(await client.getdel(elsewhere)).toBe('kept')
})

for (const [step, nth] of [
  ['list', 2],
  ['remove', 2],
  ['sweep', 1],
] as const) {
  test(`the process that clears is killed in the middle (${step}): another clears what is left`, async () => {
    const instances = await crew.open({ url, cache: LONG, size: 3, gated: true })
    const [a, b, c] = instances
    await a.process.call('setMany', KEYS, ['t', 'u'])
    await b.process.call('hold', step, nth)
    const cleared = b.process.call('clear')
    cleared.catch(() => undefined)
    await b.saw('held')
    await b.kill()
    await expect(cleared).rejects.toThrow('SIGKILL')
    expect((await keysOf(a)).length).toBeGreaterThan(0)
    await c.process.call('clear')
    for (const instance of [a, c]) expect(await left(instance)).toBe(0)
    expect(await keysOf(a)).toEqual([])
    await a.saw('clear')
    expect((await a.ask('k0', 1, {}, { tags: ['t'] })).values).toEqual(['A 1'])
    await a.saw('publish')
    await c.process.call('invalidateTags', 't')
    expect(await left(a)).toBe(0)
  })
}
