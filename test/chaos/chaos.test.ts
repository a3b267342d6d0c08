import { describe, expect, test } from 'vitest'
import { playCommand } from './command.ts'
import { EVERYTHING } from './profile.ts'
import { reportOf } from './report.ts'
import { runChaos } from './run.ts'

/** `ATOMCACHE_SEED=42 npx vitest run test/chaos/chaos.test.ts` decides the same again; `ATOMCACHE_SECONDS` is how long. */
const { ATOMCACHE_SEED: seed, ATOMCACHE_SECONDS: seconds = '30' } = process.env

/** ms: to start, to finish and to judge, on a busy machine. */
const GRACE = 150_000

describe('real processes, while much goes wrong', () => {
  test.for(['standalone', 'cluster'])(
    'keep the invariants: %s',
    { timeout: Number(seconds) * 1000 + GRACE },
    async (servers) => {
      const said = seed === undefined ? [] : ['--seed', seed]
      const played = await playCommand('--seconds', seconds, '--servers', servers, ...said)
      expect(played.output).toMatch(new RegExp(`^chaos: ${seconds} seconds of ${servers}, seed \\d+$`, 'm'))
      expect(played.count('violations')).toBe(0)
      expect(played.code).toBe(0)
      // Of what never happened a run says nothing.
      expect(played.count('operations')).toBeGreaterThan(1000)
      expect(played.count('faults')).toBeGreaterThan(5)
      expect(played.count('loader runs')).toBeGreaterThan(100)
      expect(played.count('fenced ends')).toBeGreaterThan(0)
      expect(played.count('hits of memory')).toBeGreaterThan(100)
      expect(played.count('stale answers')).toBeGreaterThan(5)
      expect(played.count('refreshes')).toBeGreaterThan(5)
      expect(played.count('waits for a place')).toBeGreaterThan(5)
      expect(played.count('looks into Redis')).toBeGreaterThan(50)
    },
  )
})

test('keep the invariants while masters are replaced, behind Sentinel', { timeout: GRACE }, async () => {
  const profile = { ...EVERYTHING, faults: { failOver: 1, handOver: 1, cut: 1, kill: 1 } }
  const chance = seed === undefined ? Date.now() % 2 ** 31 : Number(seed)
  const play = { seconds: 8, seed: chance, servers: 'sentinel', impatient: false } as const
  const chaos = await runChaos({ ...play, profile, source: new URL('../../src', import.meta.url).href })
  console.log([`seed ${chance}`, ...reportOf(chaos)].join('\n'))
  expect(chaos.violations).toEqual([])
  expect(chaos.model.calls.length).toBeGreaterThan(500)
  expect(chaos.model.history.faults.filter(({ kind }) => kind === 'failOver' || kind === 'handOver')).not.toEqual([])
})

describe('the command', () => {
  test('says what is wrong with its options', async () => {
    const played = await playCommand('--servers', 'three')
    expect(played.code).toBe(2)
    expect(played.output).toMatch(
      /^--servers must be one of standalone, sentinel, cluster, got three\n\nnpm run chaos -- /,
    )
  })
})
