import { expect, test } from 'vitest'
import type { Session } from '../../../src/index.ts'
import { LONG, newToken, openPeers, type StoreSource } from './peers.ts'
import { randomFrom, someTurns } from './random.ts'

const STEPS = 600

/** The clock of tags: `step`, and what `claim` and `take` say of it. */
export function clocks(source: StoreSource): void {
  test('every step is an integer, and more than all before it, whoever makes them', async () => {
    await using peers = await openPeers(source)
    const all = [await peers.join(), await peers.join()]
    let last = 0
    for (let i = 0; i < 100; i++) {
      const clock = await (all[i % 2] as (typeof all)[number]).session.step()
      expect(Number.isSafeInteger(clock)).toBe(true)
      expect(clock).toBeGreaterThan(last)
      last = clock
    }
  })

  test('of many steps at once no two are the same', async () => {
    await using peers = await openPeers(source)
    const all = [await peers.join(), await peers.join()]
    const steps = await Promise.all(
      Array.from({ length: 500 }, (_, i) => (all[i % 2] as (typeof all)[number]).session.step()),
    )
    expect(new Set(steps).size).toBe(500)
  })

  test('what a leader and a taker are told is less than every later step', async () => {
    await using peers = await openPeers(source)
    const [one, two] = [await peers.join(), await peers.join()]
    for (let i = 0; i < 50; i++) {
      const told = i % 2 === 0 ? await leadClock(one.session, `x:${i}`) : await takeClock(one.session, 'x')
      expect(await two.session.step()).toBeGreaterThan(told)
    }
  })

  test('what a leader and a taker are told is no less than a step before', async () => {
    await using peers = await openPeers(source)
    const [one, two] = [await peers.join(), await peers.join()]
    for (let i = 0; i < 50; i++) {
      const step = await two.session.step()
      // Else a value that was begun after an invalidation would be refused.
      const told = i % 2 === 0 ? await leadClock(one.session, `x:${i}`) : await takeClock(one.session, 'x')
      expect(told).toBeGreaterThanOrEqual(step)
    }
  })

  test('reading it is not moving it: the next step is more than all that was read', async () => {
    await using peers = await openPeers(source)
    const { session } = await peers.join()
    const read = await Promise.all(Array.from({ length: 50 }, (_, i) => leadClock(session, `x:${i}`)))
    expect(await session.step()).toBeGreaterThan(Math.max(...read))
  })

  test.each([1, 2])(`it never goes back, in ${STEPS} steps of seed %d`, async (seed) => {
    await using peers = await openPeers(source)
    const all = [await peers.join(), await peers.join(), await peers.join()]
    const random = randomFrom(seed)
    const history: { op: 'step' | 'lead' | 'take'; from: number; to: number; clock: number }[] = []
    let now = 0
    let left = STEPS

    async function walk(session: Session): Promise<void> {
      while (left-- > 0) {
        const op = (['step', 'lead', 'take'] as const)[random(3)] ?? 'step'
        const from = now++
        const id = newToken()
        const clock =
          op === 'step'
            ? await session.step()
            : op === 'lead'
              ? await leadClock(session, id)
              : await takeClock(session, id)
        history.push({ op, from, to: now++, clock })
        await someTurns(random)
      }
    }

    await Promise.all(Array.from({ length: 12 }, (_, i) => walk((all[i % 3] as (typeof all)[number]).session)))
    const steps = history.filter(({ op }) => op === 'step')
    const broken = steps.flatMap((step) => history.filter((one) => one.to < step.from && one.clock >= step.clock))
    expect(broken).toEqual([])
    expect(steps.length).toBeGreaterThan(STEPS / 5)
  })
}

async function leadClock(session: Session, id: string): Promise<number> {
  const claim = await session.claim(id, { token: newToken(), seen: 'any', lease: LONG })
  expect(claim).toEqual({ type: 'lead', present: 'none', clock: expect.any(Number) })
  return (claim as { clock: number }).clock
}

function takeClock(session: Session, id: string): Promise<number> {
  return session.take(id, newToken(), LONG)
}
