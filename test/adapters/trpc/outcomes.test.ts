import { once } from 'node:events'
import { expect, test } from 'vitest'
import { type CallOutcome, collect, note } from '../../../src/adapters/trpc/outcomes.ts'

const outcome: CallOutcome = { call: {}, outcome: { type: 'hit', ttl: 1 }, public: true, left: 1, age: 0 }

test('what a request has started and goes on behind it is not collected: nothing would ever take it away', async () => {
  const later = new EventTarget()
  let noted: Promise<void> | undefined
  const first = await collect(async () => {
    note({}, outcome)
    noted = (async () => {
      await once(later, 'go')
      note({}, outcome)
    })()
  })
  const other = await collect(async () => {
    later.dispatchEvent(new Event('go'))
    await noted
    note({}, outcome)
  })
  expect([first.outcomes.length, other.outcomes.length]).toEqual([1, 1])
})
