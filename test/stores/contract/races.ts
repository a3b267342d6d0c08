import { expect, test } from 'vitest'
import type { Session } from '../../../src/index.ts'
import { entryOf, LONG, newToken, openPeers, type Peer, type StoreSource } from './peers.ts'
import { type Random, randomFrom, someTurns, turns } from './random.ts'

const RACES = 400
/** So many of them at once. */
const BATCH = 20
const STEPS = 2000

/** Many at once, in orders that a seed decides as far as it can. */
export function races(source: StoreSource): void {
  test.each(['end', 'remove', 'set'] as const)(
    `whoever is answered wait is told the end, in ${RACES} races of claim against %s`,
    async (op) => {
      await using peers = await openPeers(source)
      const [leader, waiter] = [await peers.join(), await peers.join()]
      const random = randomFrom(1)
      const answers = { hit: 0, lead: 0, wait: 0 }
      /** Turns of the event loop by which the claim comes later; negative: the other. Who is always first gives way, more and more. */
      let lag = 0
      for (let batch = 0; batch < RACES / BATCH; batch++) {
        let first = 0
        await Promise.all(
          Array.from({ length: BATCH }, async (_, i) => {
            const id = `${op}:${batch}:${i}`
            const token = await leader.lead(id)
            const finish = async () => {
              await turns(-lag)
              await someTurns(random)
              if (op === 'end') await leader.session.end(id, token, { type: 'value', entry: entryOf(token), ttl: LONG })
              else if (op === 'set') await leader.session.set(id, entryOf(newToken()), LONG)
              else await leader.session.remove([id])
            }
            const claim = async () => {
              await turns(lag)
              await someTurns(random)
              return waiter.session.claim(id, { token: newToken(), seen: 'none', lease: LONG })
            }
            const [claimed] = await Promise.all([claim(), finish()])
            answers[claimed.type]++
            if (claimed.type === 'wait') {
              first++
              expect(claimed.token).toBe(token)
              expect((await waiter.message(token)).id).toBe(id)
            }
          }),
        )
        if (first === BATCH) lag = Math.max(1, 2 * lag)
        if (first === 0) lag = Math.min(-1, 2 * lag)
      }
      // Else there was no race.
      expect(answers.wait).toBeGreaterThan(RACES / 50)
      expect(answers.hit + answers.lead).toBeGreaterThan(RACES / 50)
    },
  )

  test.each([1, 2, 3])(`at most one leads at a time, in ${STEPS} steps of seed %d`, async (seed) => {
    await using peers = await openPeers(source)
    const all = [await peers.join(), await peers.join(), await peers.join(), await peers.join()]
    const history = await wander(all, randomFrom(seed), STEPS)
    const { held, broken, unexplained } = judge(history)
    expect(broken).toEqual([])
    expect(unexplained).toEqual([])
    expect(held).toBeGreaterThan(STEPS / 20)
  })
}

/** One call: when it was sent and answered, in an order of this process. */
interface Step {
  readonly op: 'lead' | 'wait' | 'hit' | 'ended' | 'fenced' | 'remove' | 'set'
  readonly id: string
  readonly token: string
  readonly from: number
  readonly to: number
}

/** So many walkers make steps at random; a walker that leads ends its flight after a while. */
async function wander(all: readonly Peer[], random: Random, steps: number): Promise<Step[]> {
  const history: Step[] = []
  const ids = ['a', 'b', 'c', 'd']
  let clock = 0
  let left = steps

  async function walk(session: Session): Promise<void> {
    while (left-- > 0) {
      const id = ids[random(ids.length)] as string
      const token = newToken()
      const from = clock++
      const note = (op: Step['op'], at = from) => history.push({ op, id, token, from: at, to: clock++ })
      const chance = random(10)
      if (chance === 0) {
        await session.remove([id])
        note('remove')
      } else if (chance === 1) {
        await session.set(id, entryOf(token), LONG)
        note('set')
      } else {
        const { type } = await session.claim(id, { token, seen: random(4) === 0 ? 'none' : 'any', lease: LONG })
        note(type)
        if (type !== 'lead') continue
        await someTurns(random)
        const at = clock++
        left--
        const ending = random(3) === 0 ? ({ type: 'value', entry: entryOf(token), ttl: LONG } as const) : undefined
        const ended = await session.end(id, token, ending ?? { type: 'again' })
        note(ended.type === 'ok' ? 'ended' : 'fenced', at)
      }
      await someTurns(random)
    }
  }

  await Promise.all(Array.from({ length: 16 }, (_, i) => walk((all[i % all.length] as Peer).session)))
  return history
}

/**
 * A flight that was ended and not fenced was held at least from the answer to its claim to the sending of its end. No
 * two of one id may have been held at once. What is fenced was removed or overwritten meanwhile; nothing else ends it.
 */
function judge(history: readonly Step[]): { held: number; broken: string[]; unexplained: string[] } {
  const leads = new Map(history.filter(({ op }) => op === 'lead').map((step) => [step.token, step]))
  const writes = history.filter(({ op }) => op === 'remove' || op === 'set')
  const held = history
    .filter(({ op }) => op === 'ended')
    .map((end) => ({ id: end.id, token: end.token, from: leads.get(end.token)?.to as number, to: end.from }))
    .sort((a, b) => a.from - b.from)
  const broken: string[] = []
  for (const id of new Set(held.map((one) => one.id))) {
    const mine = held.filter((one) => one.id === id)
    for (let i = 1; i < mine.length; i++) {
      const [before, after] = [mine[i - 1], mine[i]]
      if (before && after && after.from < before.to) broken.push(`${id}: ${after.token} began within ${before.token}`)
    }
  }
  const unexplained = history
    .filter(({ op }) => op === 'fenced')
    .filter((end) => {
      const began = leads.get(end.token)?.from as number
      return !writes.some((write) => write.id === end.id && write.to > began && write.from < end.to)
    })
    .map((end) => `${end.id}: ${end.token} was fenced, and nobody wrote`)
  return { held: held.length, broken, unexplained }
}
