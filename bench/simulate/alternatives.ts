import { type Burst, namesOfKeys, type Outcome, outcomeOf } from './burst.ts'
import { createNetwork } from './network.ts'
import type { Parameters } from './parameters.ts'
import { NIL, OK, ONE, sizesOf } from './sizes.ts'

/** What is done without the protocol, for one key: the first one of the burst. Nobody here gives up on what is late. */

/** ms. */
const POLL_EVERY = 50

/** Each instance that finds nothing loads, and stores. */
export function playAlone(parameters: Parameters, burst: Burst): Outcome {
  const { network, read, store } = openKey(parameters, burst)
  let runs = 0
  askAll(burst, network, () =>
    read((found) => {
      if (found) return
      runs++
      network.timeline.at(network.timeline.now + burst.loader, () => store(() => undefined))
    }),
  )
  return outcomeOf(network, runs, [])
}

/** The first one locks, loads, stores and unlocks; the others look again every 50 ms. */
export function playPolling(parameters: Parameters, burst: Burst): Outcome {
  const { network, read, store, lock, unlock } = openKey(parameters, burst)
  const { timeline } = network
  const answers: number[] = []
  let runs = 0
  let loadedAt = Number.NaN

  const answer = (askedAt: number) => answers.push(timeline.now - Math.max(loadedAt, askedAt))

  function poll(askedAt: number): void {
    timeline.at(timeline.now + POLL_EVERY, () =>
      read((found) => {
        if (found) answer(askedAt)
        else poll(askedAt)
      }),
    )
  }

  function load(): void {
    runs++
    timeline.at(timeline.now + burst.loader, () => {
      loadedAt = timeline.now
      store(unlock)
    })
  }

  askAll(burst, network, () => {
    const askedAt = timeline.now
    read((found) => {
      if (found) answer(askedAt)
      else lock((won) => (won ? load() : poll(askedAt)))
    })
  })
  return outcomeOf(network, runs, answers)
}

/** Plays it to the end. */
function askAll({ instances, spread }: Burst, { timeline, random }: ReturnType<typeof createNetwork>, ask: () => void) {
  for (let i = 0; i < instances; i++) timeline.at(random() * spread, ask)
  timeline.run()
}

/** One key and the commands for it. */
function openKey(parameters: Parameters, burst: Burst) {
  const { namespace = 'atomcache', valueBytes, masters, seed = 1 } = burst
  const network = createNetwork(parameters, masters, seed)
  const sizes = sizesOf(namespace, false, 0)
  const { get, set } = parameters
  const [id = ''] = namesOfKeys(burst)
  let stored = false
  let locked = false
  return {
    network,
    read(then: (found: boolean) => void): void {
      let found = false
      const work = () => {
        found = stored
        const replyBytes = sizes.found([found ? valueBytes : undefined])
        return { service: get.each + get.byte * replyBytes, replyBytes }
      }
      network.command('read', 0, sizes.read([id]), work, () => then(found))
    },
    store(then: () => void): void {
      const work = () => {
        stored = true
        return { service: set.each + set.byte * valueBytes, replyBytes: OK }
      }
      network.command('set', 0, sizes.set(id, valueBytes), work, then)
    },
    lock(then: (won: boolean) => void): void {
      let won = false
      const work = () => {
        won = !locked
        locked = true
        return { service: set.each, replyBytes: won ? OK : NIL }
      }
      network.command('lock', 0, sizes.lock(id), work, () => then(won))
    },
    unlock(): void {
      const work = () => {
        locked = false
        return { service: set.each, replyBytes: ONE }
      }
      network.command('unlock', 0, sizes.unlock(id), work, () => undefined)
    },
  }
}
