import { describe, expect, test } from 'vitest'
import { compareOnServer, differences } from '../../bench/simulate/check.ts'
import { playFlights } from '../../bench/simulate/flights.ts'
import { readParameters } from '../../bench/simulate/parameters.ts'
import { createTimeline } from '../../bench/simulate/timeline.ts'

const parameters = await readParameters(new URL('../../bench/simulate/parameters.json', import.meta.url))
const KEY = { caches: 1, callers: 10, keys: 1, valueBytes: 1000 }
const BURST = { masters: 1, instances: 30, keys: 1, valueBytes: 1000, loader: 200, spread: 100 }

describe('the simulation', () => {
  test('sends the commands and bytes that real instances on a real Redis send', { timeout: 60_000 }, async () => {
    const compared = await compareOnServer(parameters, [
      { ...KEY, processes: 1, keys: 250, callers: 1 },
      { ...KEY, processes: 1 },
      { ...KEY, processes: 2 },
      // So many and so large that the value is not in the messages.
      { ...KEY, processes: 2, caches: 12, valueBytes: 50_000, callers: 3 },
    ])
    expect(differences(compared)).toEqual([])
    expect(compared.map(({ commands }) => commands.measured)).toEqual([8, 3, 5, 72])
  })

  test('tells where it is not what was measured', () => {
    const same = { simulated: 1000, measured: 1000 }
    const one = {
      ...KEY,
      processes: 1,
      commands: same,
      bytesIn: same,
      bytesOut: same,
      busMessages: same,
      busy: same,
      latency: same,
    }
    const differing = (other: object) => differences([{ ...one, ...other }]).length
    expect(differing({})).toBe(0)
    expect(differing({ commands: { simulated: 1001, measured: 1000 } })).toBe(1)
    expect(differing({ bytesIn: { simulated: 1021, measured: 1000 } })).toBe(1)
    expect(differing({ bytesOut: { simulated: 979, measured: 1000 } })).toBe(1)
    expect(differing({ busMessages: { simulated: 999, measured: 1000 } })).toBe(1)
  })

  test('says the same for the same seed, and something else for another', () => {
    const [first, again, other] = [1, 1, 2].map((seed) => playFlights(parameters, { ...BURST, masters: 5, seed }))
    expect(again).toEqual(first)
    expect(other?.latencies).not.toEqual(first?.latencies)
  })

  test('runs one loader, and a second one where commands are late', () => {
    expect(playFlights(parameters, BURST).runs).toBe(1)
    const slow = { ...parameters, claim: 300_000 }
    expect(playFlights(slow, BURST).runs).toBeGreaterThan(1)
  })

  test('tells each message to each other node of a cluster', () => {
    const { busMessages, byKind } = playFlights(parameters, { ...BURST, masters: 5 })
    expect(busMessages).toBe(29 * 4)
    // More bytes than a cluster puts into messages: those who wait read.
    expect(byKind).toEqual({ read: 59, claim: 30, clock: 30, end: 1 })
  })

  test('renews the lease of a loader that takes long, and lets those who wait claim again', () => {
    const { byKind, runs } = playFlights(parameters, { ...BURST, loader: 12_000 })
    expect(runs).toBe(1)
    expect(byKind.renew).toBe(7)
    expect(byKind.claim).toBe(30 + 2 * 29)
  })
})

describe('its timeline', () => {
  test('goes by time, and by order where that is the same', () => {
    const timeline = createTimeline()
    const seen: string[] = []
    const times = [5, 3, 9, 3, 1, 7, 5, 0]
    for (const [i, time] of times.entries()) timeline.at(time, () => seen.push(`${timeline.now} ${i}`))
    timeline.at(4, () => timeline.at(6, () => seen.push('6 later')))
    timeline.run()
    expect(seen).toEqual(['0 7', '1 4', '3 1', '3 3', '5 0', '5 6', '6 later', '7 5', '9 2'])
    expect(() => timeline.at(8, () => undefined)).toThrow(RangeError)
  })
})
