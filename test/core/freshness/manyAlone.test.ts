import { expect, test } from 'vitest'
import { createCache, memoryStore } from '../../../src/index.ts'
import { gatedStore } from '../gates.ts'

test('of many keys those that nobody computes are loaded at once, though a loader without a flight runs for another one', async () => {
  const store = gatedStore(memoryStore())
  await using cache = createCache({ namespace: 'many', store, ttl: 60_000, commandTimeout: 200 })
  const isOf = (id: string) => (given: unknown) => given === id
  const [a, b] = [store.before('claim', isOf('a')), store.before('claim', isOf('b'))]
  let begun!: (keys: readonly string[]) => void
  const loaded = new Promise<readonly string[]>((resolve) => {
    begun = resolve
  })
  const many = cache.getOrSetMany(['a', 'b'], (keys) => {
    begun(keys)
    return keys.map((key) => `${key} of many`)
  })
  await Promise.all([a.reached, b.reached])
  // Waits for the claim of `b` for a moment only; its loader is not done before the many are loaded.
  const impatient = cache.getOrSet('b', async () => `b beside ${await loaded}`, { waitTimeout: 20 })
  expect(await many).toEqual(['a of many', 'b beside a'])
  expect(await impatient).toBe('b beside a')
  for (const gate of [a, b]) gate.open()
})
