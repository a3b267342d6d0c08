import { type Burst, namesOfKeys, type Outcome, outcomeOf } from './burst.ts'
import { createNetwork } from './network.ts'
import type { Parameters } from './parameters.ts'
import { createServers, type Instance, type Led, type Message, type Verdict } from './servers.ts'
import { sizesOf } from './sizes.ts'

/** As in src/stores/redis/flights.ts, store.ts, src/core/follower.ts and options.ts: that it is the same shows `--check`. */
const READ_AT_ONCE = 1000
const CLAIMED_AT_ONCE = 100
const ENDED_AT_ONCE = 100
const BYTES_OF_AN_END = 4096
const MAX_FRUITLESS = 2
const LEASE_MARGIN = 10
const RENEW_EVERY = 5000 / 3
const COMMAND_TIMEOUT = 250
const CLOCK_SHARE = 0.25

interface Asker extends Instance {
  readonly asks: Map<number, Ask>
  /** The reading of the clock that is under way. */
  clock: Reading | undefined
}

interface Reading {
  done: boolean
  readonly waiting: (() => void)[]
}

/** One key that an instance wants. */
interface Ask {
  readonly key: number
  readonly askedAt: number
  /** The token of the flight it waits for; 0: its claim is not answered yet. */
  awaited: number
  /** Of the flight it waited for last, and how many there were. */
  last: number
  flights: number
  /** Messages that came before the reply which names the token. */
  readonly early: Message[]
  answered: boolean
}

/**
 * The protocol of docs/protocol.md, steps 1 to 5, with nothing that breaks: each instance reads, claims, and leads or follows.
 * Callers within an instance share one trip, so there are none here. The breaker is left out: what is late is counted each time.
 */
export function playFlights(parameters: Parameters, burst: Burst): Outcome {
  const { masters, instances: count, valueBytes, loader, spread, namespace = 'atomcache', seed = 1 } = burst
  const network = createNetwork(parameters, masters, seed)
  const { timeline, random } = network
  const servers = createServers<Asker>(network, parameters, burst, hear)
  const endWeight = 1 + sizesOf(namespace, false, 0).entry(valueBytes) / BYTES_OF_AN_END
  const keys = [...namesOfKeys(burst).keys()]
  const loadedAt = keys.map(() => Number.NaN)
  const answers: { readonly ask: Ask; readonly at: number }[] = []
  let runs = 0

  function answer(ask: Ask): void {
    ask.answered = true
    answers.push({ ask, at: timeline.now })
  }

  /** The loader runs without a flight, since `from`. */
  function alone(ask: Ask, from: number): void {
    ask.answered = true
    runs++
    answers.push({ ask, at: from + loader })
  }

  const asksOf = (instance: Asker, some: readonly number[]) => some.map((key) => instance.asks.get(key) as Ask)

  function read(instance: Asker, some: readonly number[], missed: (keys: readonly number[], took: number) => void) {
    for (const part of servers.parts(some, READ_AT_ONCE)) {
      servers.read(part, (found, sentAt) => {
        const asks = asksOf(instance, part)
        const took = timeline.now - sentAt
        if (took > COMMAND_TIMEOUT) for (const ask of asks) alone(ask, sentAt + COMMAND_TIMEOUT)
        else {
          for (const [i, ask] of asks.entries()) if (found[i]) answer(ask)
          const left = part.filter((_, i) => !found[i])
          if (left.length > 0) missed(left, took)
        }
      })
    }
  }

  function claim(instance: Asker, some: readonly number[], timeout: number): void {
    const clock = masters > 1 ? readClock(instance) : undefined
    const parts = servers.parts(some, CLAIMED_AT_ONCE)
    const led: Led[] = []
    let left = parts.length
    for (const ask of asksOf(instance, some)) ask.awaited = 0
    for (const part of parts) {
      servers.claim(instance, part, (verdicts, sentAt) => {
        left--
        const asks = asksOf(instance, part)
        const leads = verdicts.flatMap((verdict, i) =>
          typeof verdict === 'object' && 'lead' in verdict ? [{ ...verdict, key: part[i] as number }] : [],
        )
        if (timeline.now - sentAt > timeout) {
          for (const ask of asks) alone(ask, sentAt + timeout)
          // A lease that comes late is given back.
          if (leads.length > 0) servers.end(leads, false)
        } else {
          led.push(...leads)
          settle(instance, asks, verdicts)
        }
        // Replies to claims of one moment are given in one moment.
        if (left > 0 || led.length === 0) return
        if (clock === undefined || clock.done) return lead(instance, led)
        let begun = false
        const once = () => {
          if (!begun) lead(instance, led)
          begun = true
        }
        clock.waiting.push(once)
        timeline.at(Math.max(timeline.now, sentAt + COMMAND_TIMEOUT * CLOCK_SHARE), once)
      })
    }
  }

  /** What follows from hits and waits. */
  function settle(instance: Asker, asks: readonly Ask[], verdicts: readonly Verdict[]): void {
    const hits: number[] = []
    const waits: Ask[] = []
    let left = 0
    for (const [i, ask] of asks.entries()) {
      const verdict = verdicts[i] as Verdict
      if (verdict === 'hit') hits.push(ask.key)
      else if ('wait' in verdict) {
        if (verdict.wait !== ask.last && ask.flights++ === MAX_FRUITLESS) {
          alone(ask, timeline.now)
          continue
        }
        ask.last = verdict.wait
        ask.awaited = verdict.wait
        left = verdict.left
        waits.push(ask)
      }
    }
    if (hits.length > 0) takeStored(instance, hits)
    if (waits.length === 0) return
    wait(instance, waits, left)
    hear(
      instance,
      waits.flatMap(({ early }) => early.splice(0)),
    )
  }

  /** Until the lease is over, as it was told: those that have heard nothing by then claim again. */
  function wait(instance: Asker, waits: readonly Ask[], left: number): void {
    const awaited = waits.map((ask) => ask.awaited)
    timeline.at(timeline.now + Math.floor(left) + LEASE_MARGIN, () => {
      const lapsed = waits.filter((ask, i) => !ask.answered && ask.awaited === awaited[i]).map(({ key }) => key)
      if (lapsed.length > 0) claim(instance, lapsed, COMMAND_TIMEOUT)
    })
  }

  function takeStored(instance: Asker, some: readonly number[]): void {
    read(instance, some, (gone) => claim(instance, gone, COMMAND_TIMEOUT))
  }

  function readClock(instance: Asker): Reading {
    if (instance.clock !== undefined) return instance.clock
    const reading: Reading = { done: false, waiting: [] }
    instance.clock = reading
    servers.clock(() => {
      reading.done = true
      instance.clock = undefined
      for (const goOn of reading.waiting) goOn()
    })
    return reading
  }

  /** The loaders of one moment, which end in one moment. */
  function lead(instance: Asker, led: readonly Led[]): void {
    runs += led.length
    const loading = { over: false }
    for (const one of led) renewLater(one, loading)
    timeline.at(timeline.now + loader, () => {
      loading.over = true
      for (const { key } of led) {
        loadedAt[key] = timeline.now
        ;(instance.asks.get(key) as Ask).answered = true
      }
      const byKey = new Map(led.map((one) => [one.key, one]))
      for (const part of servers.parts([...byKey.keys()], ENDED_AT_ONCE, endWeight)) {
        servers.end(
          part.map((key) => byKey.get(key) as Led),
          true,
        )
      }
    })
  }

  function renewLater(one: Led, loading: { readonly over: boolean }): void {
    timeline.at(timeline.now + RENEW_EVERY, () => {
      if (!loading.over) servers.renew(one, () => loading.over || renewLater(one, loading))
    })
  }

  function hear(instance: Asker, messages: readonly Message[]): void {
    const ready: number[] = []
    const again: number[] = []
    for (const message of messages) {
      const ask = instance.asks.get(message.key) as Ask
      if (ask.answered) continue
      if (ask.awaited === 0) ask.early.push(message)
      if (ask.awaited !== message.token) continue
      if (message.letter === 'V') answer(ask)
      else {
        ask.awaited = -1 // told; of no flight
        if (message.letter === 'R') ready.push(message.key)
        else again.push(message.key)
      }
    }
    if (ready.length > 0) takeStored(instance, ready)
    if (again.length > 0) claim(instance, again, COMMAND_TIMEOUT)
  }

  for (let i = 0; i < count; i++) {
    const instance: Asker = { by: Math.floor(random() * masters), asks: new Map(), clock: undefined }
    const askedAt = random() * spread
    for (const key of keys) {
      instance.asks.set(key, { key, askedAt, awaited: 0, last: 0, flights: 0, early: [], answered: false })
    }
    timeline.at(askedAt, () =>
      read(instance, keys, (missed, took) =>
        claim(instance, missed, Math.max(COMMAND_TIMEOUT / 2, COMMAND_TIMEOUT - took)),
      ),
    )
  }
  timeline.run()
  const latencies = answers.map(({ ask, at }) => at - Math.max(loadedAt[ask.key] as number, ask.askedAt))
  return outcomeOf(
    network,
    runs,
    latencies.map((ms) => Math.max(0, ms)),
  )
}
