import { describe, expect, it } from 'vitest'
import { NO_WINDOWS, type Times } from '../../../src/core/entry.ts'
import { ageOf, freshFor, freshnessOf, lifeOf } from '../../../src/core/freshness.ts'

const CREATED = 1_000_000

function timesOf(times: Partial<Times>): Times {
  return { createdAt: CREATED, ttl: 100, ...NO_WINDOWS, ...times }
}

/** `after` ms from its creation. */
function useOf(times: Partial<Times>, after: number, random = 0.5): string {
  return freshnessOf(
    timesOf(times),
    () => CREATED + after,
    () => random,
  )
}

describe('an entry', () => {
  it('without windows is fresh for as long as it is there, and no clock is asked', () => {
    const noClock = () => {
      throw new Error('asked')
    }
    expect(freshnessOf(timesOf({}), noClock, noClock)).toBe('fresh')
    expect(freshnessOf(timesOf({ cost: 50 }), noClock, noClock)).toBe('fresh')
  })

  it.each([
    [0, 'fresh'],
    [99, 'fresh'],
    [100, 'stale'],
    [149, 'stale'],
    [150, 'fallback'],
    [299, 'fallback'],
    [300, 'expired'],
    [-5, 'fresh'],
  ])('of 100 ms, stale for 50, in the place of errors for 200, is after %i ms %s', (after, use) => {
    expect(useOf({ staleWhileRevalidate: 50, staleIfError: 200 }, after)).toBe(use)
  })

  it('may be stale for ever', () => {
    expect(useOf({ staleWhileRevalidate: Infinity }, 1e12)).toBe('stale')
    expect(useOf({ staleIfError: Infinity }, 1e12)).toBe('fallback')
    expect(lifeOf(timesOf({ staleIfError: Infinity }))).toBe(Infinity)
  })

  it('without an end is never stale, and never early', () => {
    expect(useOf({ ttl: Infinity, staleWhileRevalidate: 10, cost: 1000, beta: 10 }, 1e12, 1e-300)).toBe('fresh')
  })

  it('is kept until its later window ends', () => {
    expect(lifeOf(timesOf({}))).toBe(100)
    expect(lifeOf(timesOf({ staleWhileRevalidate: 50, staleIfError: 20 }))).toBe(150)
    expect(lifeOf(timesOf({ staleWhileRevalidate: 50, staleIfError: 200 }))).toBe(300)
  })

  it('is never younger than now, whatever another server says', () => {
    expect(ageOf(CREATED + 30, CREATED)).toBe(0)
    expect(freshFor(timesOf({ createdAt: CREATED + 30 }), CREATED)).toBe(100)
    expect(freshFor(timesOf({}), CREATED + 130)).toBe(-30)
  })
})

describe('early refresh', () => {
  it('is where -cost × beta × ln(random) reaches the end', () => {
    // -20 × ln(0.5) = 13.86
    expect(useOf({ cost: 20, beta: 1 }, 86)).toBe('fresh')
    expect(useOf({ cost: 20, beta: 1 }, 87)).toBe('early')
    expect(useOf({ cost: 20, beta: 2 }, 73)).toBe('early')
    expect(useOf({ cost: 40, beta: 1 }, 73)).toBe('early')
    expect(useOf({ cost: 20, beta: 1 }, 50, 0)).toBe('early')
    expect(useOf({ cost: 20, beta: 1 }, 100)).toBe('expired')
  })

  it('comes with the chance of the paper: e^(-left / (cost × beta))', () => {
    let early = 0
    const asked = 100_000
    for (let i = 0; i < asked; i++)
      if (freshnessOf(timesOf({ cost: 10, beta: 1 }), () => CREATED + 80) === 'early') early++
    // e^-2 = 0.1353; five standard deviations are 0.0054.
    expect(early / asked).toBeGreaterThan(0.1299)
    expect(early / asked).toBeLessThan(0.1407)
  })
})
