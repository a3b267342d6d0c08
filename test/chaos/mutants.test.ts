import { describe, expect, test } from 'vitest'
import { createRandom } from '../core/schedule/random.ts'
import { playCommand } from './command.ts'
import { FLAWS } from './flaw.ts'
import { createMutant } from './mutant.ts'
import { AGING, FAILING, INVALIDATED_KEYS, INVALIDATED_TAGS, REFRESHED, REMEMBERED } from './peaceful.ts'
import { reportOf } from './report.ts'
import { runChaos } from './run.ts'

/** s within which a flaw must be found, and which the sources must stand without one. */
const SEARCH = 150
const STAND = 10
/** ms: to start and to finish, on a busy machine. */
const GRACE = 90_000

const random = createRandom(Number(process.env.ATOMCACHE_SEED ?? Date.now() % 2 ** 31))
const play = { servers: 'standalone', impatient: true } as const
const SOURCE = new URL('../../src', import.meta.url).href

describe('the checker finds', () => {
  test.for(Object.entries(FLAWS))('%s', { timeout: SEARCH * 1000 + GRACE }, async ([, flaw]) => {
    await using mutant = await createMutant(flaw.edits)
    const { profile, rules, servers = play.servers } = flaw
    const seed = random.below(2 ** 31)
    const chaos = await runChaos({ ...play, servers, seconds: SEARCH, seed, profile, source: mutant.source })
    console.log([`seed ${seed}`, ...reportOf(chaos)].join('\n'))
    expect(rules).toContain(chaos.violations.find(({ rule }) => rules.includes(rule))?.rule)
  })

  test.for([
    ['keys', INVALIDATED_KEYS, 'publish'],
    ['tags', INVALIDATED_TAGS, 'publish'],
    ['memory', REMEMBERED, 'memoryHit'],
    ['what ages', AGING, 'stale'],
    ['failures', FAILING, 'stale'],
    ['refreshes', REFRESHED, 'refresh'],
  ] as const)('nothing where nothing is wrong: %s', { timeout: STAND * 1000 + GRACE }, async ([, profile, event]) => {
    const seed = random.below(2 ** 31)
    const chaos = await runChaos({ ...play, seconds: STAND, seed, profile, source: SOURCE })
    console.log([`seed ${seed}`, ...reportOf(chaos)].join('\n'))
    expect(chaos.violations).toEqual([])
    expect(chaos.model.calls.length).toBeGreaterThan(1000)
    // Of what never happened it says nothing.
    expect(chaos.events[event]).toBeGreaterThan(20)
  })
})

test('the command ends with 1 where something is wrong', { timeout: GRACE }, async () => {
  await using mutant = await createMutant(FLAWS['an end that does not check the token']?.edits ?? [])
  const played = await playCommand('--seconds', '12', '--source', mutant.directory)
  expect(played.count('violations')).toBeGreaterThan(0)
  expect(played.code).toBe(1)
})
