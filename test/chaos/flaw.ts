import type { Rule } from './checker/violation.ts'
import { FRESHNESS_FLAWS } from './freshnessFlaw.ts'
import type { Edit } from './mutant.ts'
import { INVALIDATED_KEYS, INVALIDATED_TAGS, REPLACED } from './peaceful.ts'
import type { Profile } from './profile.ts'
import type { Servers } from './servers.ts'

/** A rule of the protocol that is left out. */
export interface Flaw {
  readonly edits: readonly Edit[]
  /** What is played to find it: nothing goes wrong, but what it needs happens often. */
  readonly profile: Profile
  /** Default: `'standalone'`. */
  readonly servers?: Servers['kind']
  /** What is found of it. */
  readonly rules: readonly Rule[]
}

/** Each leaves one rule of the protocol out. */
export const FLAWS: Readonly<Record<string, Flaw>> = {
  ...FRESHNESS_FLAWS,
  'a master that was replaced is not left while it lives': {
    edits: [{ file: 'stores/redis/wiring.ts', original: 'const watch = guarded ?', faulty: 'const watch = false ?' }],
    profile: REPLACED,
    servers: 'sentinel',
    rules: ['I3', 'I4'],
  },
  'an end that does not check the token': {
    edits: [
      {
        file: 'stores/redis/flightScripts.ts',
        original: "if token ~= '' and leader ~= token then",
        faulty: 'if false then',
      },
    ],
    profile: INVALIDATED_KEYS,
    rules: ['I3', 'I4'],
  },
  'a claim that does not look at the stamp of what is there': {
    edits: [
      {
        file: 'stores/redis/flightScripts.ts',
        original: "if present ~= '-' and seen ~= '*' and seen ~= present then return {'HIT'} end",
        faulty: '',
      },
    ],
    profile: INVALIDATED_KEYS,
    rules: ['seen'],
  },
  'an invalidation by tag that does not seal the flights of its instance': {
    edits: [
      {
        file: 'core/calls.ts',
        original: 'for (const table of all) table.seal()',
        faulty: '',
      },
    ],
    profile: INVALIDATED_TAGS,
    rules: ['I3', 'I4'],
  },
  'a sweep whatever was listed since the mark': {
    edits: [
      {
        file: 'stores/redis/tagScripts.ts',
        original: "if redis.call('HGET', KEYS[2], 'sweeper') ~= ARGV[1] then return 'KEPT' end",
        faulty: '',
      },
    ],
    profile: INVALIDATED_TAGS,
    rules: ['I3', 'I4'],
  },
  'a leader that asks for the epochs before its id is listed': {
    edits: [
      {
        file: 'stores/redis/tags.ts',
        original: 'const epochs = await',
        faulty: `const early = await Promise.all(
        tags.map((tag) => serverOf(names.state(tag)).client.hget(names.state(tag), 'epoch')),
      )
      await`,
      },
      {
        file: 'stores/redis/tags.ts',
        original: 'Math.max(0, ...epochs)',
        faulty: 'Math.max(0, ...early.map(Number))',
      },
    ],
    profile: INVALIDATED_TAGS,
    rules: ['I3', 'I4'],
  },
  'a follower that is registered after its claim, not in it': {
    edits: [
      {
        file: 'stores/redis/flightScripts.ts',
        original: "    redis.call('HSET', flight, 'w:' .. ARGV[1], '')\n",
        faulty: '',
      },
      {
        file: 'stores/redis/flights.ts',
        original: "      case 'WAIT':\n",
        faulty: `      case 'WAIT':
          await send(() =>
            wiring.client.eval(
              "if redis.call('HGET', KEYS[1], 'leader') == ARGV[1] then redis.call('HSET', KEYS[1], ARGV[2], '') end",
              1,
              names.flight(id),
              String(first),
              'w:' + instanceId,
            ),
          )
`,
      },
    ],
    profile: INVALIDATED_KEYS,
    rules: ['I5'],
  },
}
