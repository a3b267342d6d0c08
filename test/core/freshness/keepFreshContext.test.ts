import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createCache, memoryStore } from '../../../src/index.ts'

test('what is kept fresh is computed in the context in which that was asked for, whoever invalidates it', async () => {
  await using cache = createCache({ namespace: 'context', store: memoryStore(), ttl: 60_000 })
  const user = new AsyncLocalStorage<string>()
  const seen: (string | undefined)[] = []
  const published = () => new Promise<void>((resolve) => void cache.on('publish', () => resolve()))

  const first = published()
  user.run('the service', () => cache.keepFresh('k', () => seen.push(user.getStore())))
  await first
  // Until then it is at work, and would go on by itself.
  await setImmediate()
  const second = published()
  await user.run('alice', () => cache.delete('k'))
  await second
  expect(seen).toEqual(['the service', 'the service'])
})
