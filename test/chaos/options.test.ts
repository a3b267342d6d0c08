import { describe, expect, test } from 'vitest'
import { parseCommandLine } from './options.ts'

describe('the command line of chaos', () => {
  test('says how long, what decides, and on what', () => {
    const said = parseCommandLine(['--seconds', '5', '--seed', '7', '--servers', 'cluster', '--source', 'elsewhere'])
    expect(said).toEqual({ seconds: 5, seed: 7, servers: 'cluster', source: 'elsewhere' })
  })

  test('has defaults, and another seed each time', () => {
    const [one, two] = [parseCommandLine([]), parseCommandLine([])]
    expect(one).toEqual({ seconds: 60, seed: expect.any(Number), servers: 'standalone', source: 'src' })
    expect(two.seed).not.toBe(one.seed)
  })

  test.for([
    [['--minutes', '1'], "Unknown option '--minutes'"],
    [['now'], "Unexpected argument 'now'"],
    [['--seconds', 'ten'], '--seconds must be a number from 1 to 86400, got ten'],
    [['--seconds', '0'], '--seconds must be a number from 1 to 86400, got 0'],
    [['--seed', '1.5'], '--seed must be a whole number from 0 to 2147483647, got 1.5'],
    [['--seed', '2147483648'], '--seed must be a whole number from 0 to 2147483647, got 2147483648'],
    [['--servers', 'many'], '--servers must be one of standalone, sentinel, cluster, got many'],
  ] as const)('refuses %j', ([args, message]) => {
    expect(() => parseCommandLine(args)).toThrow(message)
  })
})
