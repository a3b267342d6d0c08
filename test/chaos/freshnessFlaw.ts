import { STALE_FOR_ALL } from '../core/schedule/fault.ts'
import type { Flaw } from './flaw.ts'
import { AGING, FAILING, REFRESHED, REMEMBERED, REVALIDATED, UNHEARD } from './peaceful.ts'

/** Each leaves one rule out, of the memory tier or of what is stale. */
export const FRESHNESS_FLAWS: Readonly<Record<string, Flaw>> = {
  'a memory tier that keeps what was invalidated while it was read': {
    edits: [
      { file: 'core/tier.ts', original: 'const isGood = () => others.has(own)', faulty: 'const isGood = () => true' },
    ],
    profile: REMEMBERED,
    rules: ['I3', 'I4'],
  },
  'a memory tier that stays on while messages may be lost': {
    edits: [
      {
        file: 'core/tier.ts',
        original: 'clear()\n      confirmed = now',
        faulty: 'confirmed = true',
      },
    ],
    profile: UNHEARD,
    rules: ['I3'],
  },
  'an invalidation that leaves its own memory alone': {
    edits: [{ file: 'core/calls.ts', original: 'tier.drop(ids)', faulty: '' }],
    profile: REMEMBERED,
    rules: ['I4'],
  },
  'a stale value beyond its window': {
    edits: [
      {
        file: 'core/freshness.ts',
        original: "if (-left < staleWhileRevalidate) return 'stale'",
        faulty: "if (-left < Math.max(staleWhileRevalidate, staleIfError)) return 'stale'",
      },
    ],
    profile: AGING,
    rules: ['window'],
  },
  'a stale value in the place of an error, whatever was invalidated since': {
    edits: STALE_FOR_ALL.edits.map(([original, faulty]) => ({ file: STALE_FOR_ALL.file, original, faulty })),
    profile: FAILING,
    rules: ['I3', 'I4'],
  },
  'a refresh that stores its value though its flight was ended': {
    edits: [
      {
        file: 'core/loading.ts',
        original: 'order.onEnd?.(outcomeOf(ending, reply))',
        faulty: `order.onEnd?.(outcomeOf(ending, reply))
      if (reply?.type === 'fenced' && ending.type === 'value' && order.onEnd !== undefined) {
        void instance.session.set(id, ending.entry, ending.ttl)
      }`,
      },
    ],
    profile: REFRESHED,
    rules: ['I3', 'I4'],
  },
  'an invalidation that leaves refreshes behind answers alone': {
    edits: [{ file: 'core/refreshes.ts', original: 'flights.detach(id)\n', faulty: '\n' }],
    profile: REFRESHED,
    rules: ['I3', 'I4'],
  },
  'a refresh by each instance that sees a stale value': {
    edits: [
      {
        file: 'core/refreshes.ts',
        original: 'travel(instance, opened, behind, lead, look), {',
        faulty: "runAlone(instance, opened, behind, own, 'fruitless'), {",
      },
      {
        file: 'core/refreshes.ts',
        original: '{ hides, loading }',
        faulty: '{ hides, loading, runAlone }',
      },
      // No flight in the store says how it has ended.
      { file: 'core/refreshes.ts', original: "ran ? await told : 'stored'", faulty: "'lost'" },
    ],
    profile: REVALIDATED,
    rules: ['refresh'],
  },
  'a refresh that is tried again at once': {
    edits: [
      {
        file: 'core/stored.ts',
        original: ' || refreshes.rest(id) !== undefined',
        faulty: '',
      },
    ],
    profile: { ...REVALIDATED, failing: 0.9 },
    rules: ['rest'],
  },
}
