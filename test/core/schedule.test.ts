import { describe, expect, test } from 'vitest'
import type { CacheEventType } from '../../src/index.ts'
import * as atomcache from '../../src/index.ts'
import { FAULTS } from './schedule/fault.ts'
import { createMutant } from './schedule/mutant.ts'
import { play, type Schedule, type Seen } from './schedule/schedule.ts'

/**
 * Interleavings of several instances on one store, each made by its seed alone.
 *
 * `ATOMCACHE_SEED=42 npx vitest run test/core/schedule.test.ts` plays one again and prints its trace;
 * `ATOMCACHE_SEEDS=100000` plays more than usual.
 */
const SEED = process.env.ATOMCACHE_SEED
const SEEDS = Number(process.env.ATOMCACHE_SEEDS ?? 3000)
const AT_ONCE = 500
/** Within so many seeds each fault must be found. */
const MUTANT_SEEDS = 5000
/** ms; of a busy machine. */
const LIMIT = 180_000

if (SEED !== undefined) {
  test(`the interleaving of seed ${SEED} keeps the invariants`, async () => {
    const schedule = await play(atomcache, Number(SEED))
    console.log(textOf(schedule))
    expect(schedule.violation).toBeUndefined()
  })
} else {
  describe('in every interleaving', () => {
    const seen = new Map<string, number>()
    const firsts = Array.from({ length: Math.ceil(SEEDS / AT_ONCE) }, (_, i) => i * AT_ONCE)

    test.for(firsts)('the invariants hold: seeds from %i', { timeout: 2 * LIMIT }, async (first) => {
      for (let seed = first; seed < Math.min(first + AT_ONCE, SEEDS); seed++) {
        const schedule = await play(atomcache, seed)
        if (schedule.violation !== undefined) throw new Error(textOf(schedule))
        for (const [type, count] of Object.entries(schedule.counts)) {
          seen.set(type, (seen.get(type) ?? 0) + count)
        }
      }
    })

    // A test that never sees a takeover says nothing about takeovers. Not for values: here they are all plain.
    test.for<CacheEventType | Seen>([
      'hit',
      'memoryHit',
      'stale',
      'refresh',
      'miss',
      'join',
      'lead',
      'takeover',
      'follow',
      'followed',
      'publish',
      'share',
      'release',
      'fenced',
      'overdue',
      'alone',
      'waitTimeout',
      'loaderError',
      'set',
      'invalidate',
      'clear',
      'storeFault',
      'breaker',
      'inbox',
      'a set that lost',
      'a change told again',
      'a change told again after a crash',
      'a leader without the clock',
      'a value refused by its tags',
    ])('what can happen did happen: %s', (type) => {
      expect(seen.get(type) ?? 0).toBeGreaterThan(0)
    })

    test('the same seed is the same interleaving', async () => {
      const [first, second] = [await play(atomcache, 7), await play(atomcache, 7)]
      expect(first.trace.length).toBeGreaterThan(50)
      expect(second).toEqual(first)
      expect((await play(atomcache, 8)).trace).not.toEqual(first.trace)
    })
  })

  describe('the interleavings find', () => {
    test.for(Object.entries(FAULTS))('%s', { timeout: 2 * LIMIT }, async ([name, fault]) => {
      await using mutant = await createMutant(fault)
      const startedAt = performance.now()
      // Ends by itself: a loop that outlives its test would move the clock of the next.
      for (const seed of seedsFrom(fault.near)) {
        if (performance.now() - startedAt > LIMIT) break
        const { violation } = await play(mutant.subject, seed)
        if (violation === undefined || !fault.violates.test(violation)) continue
        // The fault's own doing: without it the same seed is fine.
        if ((await play(atomcache, seed)).violation !== undefined) continue
        console.log(`${name}: seed ${seed}: ${violation}`)
        return
      }
      expect.fail(`not found within ${MUTANT_SEEDS} seeds and ${LIMIT} ms`)
    })
  })
}

function* seedsFrom(near = 0): Generator<number> {
  yield near
  for (let seed = 0; seed < MUTANT_SEEDS; seed++) if (seed !== near) yield seed
}

function textOf({ seed, violation, trace }: Schedule): string {
  return [`seed ${seed}: ${violation ?? 'everything holds'}`, ...trace].join('\n')
}
