import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createProbe } from '../../../src/stores/redis/probe.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** A probe whose messages arrive after `delay` ms, or never; `send` is what sending comes to. */
function probing(delay: number | undefined, send: () => Promise<unknown> = async () => 1) {
  const counts = { sent: 0, lost: 0 }
  const told: string[] = []
  const probe = createProbe(
    () => {
      counts.sent++
      if (delay !== undefined) setTimeout(() => probe.heard(), delay)
      return send()
    },
    {
      lost: () => void counts.lost++,
      doubted: () => void told.push('doubted'),
      sure: () => void told.push('sure'),
    },
  )
  return { probe, counts, told }
}

test('sends a message every 3 s, and is content with each that arrives', async () => {
  const { probe, counts } = probing(5)
  probe.start()
  await vi.advanceTimersByTimeAsync(2900)
  expect(counts).toEqual({ sent: 0, lost: 0 })
  await vi.advanceTimersByTimeAsync(27_200)
  expect(counts).toEqual({ sent: 10, lost: 0 })
})

test('says once that the connection is lost, within 5 s of its silence, and waits to be started again', async () => {
  const { probe, counts } = probing(undefined)
  probe.start()
  await vi.advanceTimersByTimeAsync(4100)
  expect(counts).toEqual({ sent: 1, lost: 1 })
  await vi.advanceTimersByTimeAsync(30_000)
  expect(counts).toEqual({ sent: 1, lost: 1 })
  probe.start()
  await vi.advanceTimersByTimeAsync(4100)
  expect(counts).toEqual({ sent: 2, lost: 2 })
})

test('doubts, once, where a message could not be sent, or is not sent yet, and sends another one each second', async () => {
  const refused = probing(undefined, () => Promise.reject(new Error('no')))
  const pending = probing(undefined, () => new Promise(() => {}))
  for (const { probe } of [refused, pending]) probe.start()
  await vi.advanceTimersByTimeAsync(15_100)
  for (const { counts, told, probe } of [refused, pending]) {
    expect(counts).toEqual({ sent: 13, lost: 0 })
    expect(told).toEqual(['doubted'])
    probe.heard()
    probe.heard()
    expect(told).toEqual(['doubted', 'sure'])
  }
})

test('gives a message that was sent late the time to arrive', async () => {
  const late = (ms: number) => () => new Promise((resolve) => setTimeout(resolve, ms))
  const { probe, counts } = probing(undefined, late(800))
  probe.start()
  await vi.advanceTimersByTimeAsync(4100)
  expect(counts).toEqual({ sent: 2, lost: 0 })
  const soon = probing(undefined, late(100))
  soon.probe.start()
  await vi.advanceTimersByTimeAsync(4100)
  expect(soon.counts).toEqual({ sent: 1, lost: 1 })
})

test('after stop nothing is sent and nothing said, also of the message under way', async () => {
  const idle = probing(undefined)
  idle.probe.start()
  idle.probe.stop()
  const underWay = probing(undefined)
  underWay.probe.start()
  await vi.advanceTimersByTimeAsync(3100)
  underWay.probe.stop()
  await vi.advanceTimersByTimeAsync(30_000)
  expect([idle.counts, underWay.counts]).toEqual([
    { sent: 0, lost: 0 },
    { sent: 1, lost: 0 },
  ])
})

test('a second start begins anew, and there is still one message at a time', async () => {
  const { probe, counts } = probing(5)
  probe.start()
  await vi.advanceTimersByTimeAsync(2000)
  probe.start()
  await vi.advanceTimersByTimeAsync(2900)
  expect(counts.sent).toBe(0)
  await vi.advanceTimersByTimeAsync(3200)
  expect(counts).toEqual({ sent: 2, lost: 0 })
})

test('does not keep a process', async () => {
  vi.useRealTimers()
  const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const { probe } = probing(undefined)
  probe.start()
  expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout')).toHaveLength(before)
  probe.stop()
})
