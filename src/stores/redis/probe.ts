/** Asks itself now and then whether what is sent to a connection still arrives there. */
export interface Probe {
  /** From now on, until `stop`. */
  start(): void
  stop(): void
  /** What was sent has arrived. */
  heard(): void
}

/** What a probe finds out. */
export interface Findings {
  /** It was sent, and did not come. */
  lost(): void
  /** Whether what is sent arrives nobody knows: it could not be sent, or was not in time. */
  doubted(): void
  /** One has arrived, after it was doubted. */
  sure(): void
}

/** ms between two probes, and ms that one may take, which also is between two that do not come. */
const PROBE_EVERY = 3000
const PROBE_LIMIT = 1000

/**
 * A connection may die in silence, and a node of a cluster hear nothing any more of what the others are told: both show
 * only in a message to oneself that does not come.
 *
 * @param send the message
 */
export function createProbe(send: () => Promise<unknown>, { lost, doubted, sure }: Findings): Probe {
  let timer: NodeJS.Timeout | undefined
  /** Of `start` and `stop`: what a probe of before finds counts no more. */
  let round = 0
  let arrived = false
  let isDoubted = false

  function wait(ms: number, then: () => void): void {
    const own = round
    // Timers run before sockets are read: after a blocked event loop the message may be here already.
    timer = setTimeout(() => setImmediate(() => own === round && then()), ms)
    timer.unref()
  }

  function probe(): void {
    let sentAt = Number.POSITIVE_INFINITY
    arrived = false
    const sent = () => {
      sentAt = performance.now()
    }
    send().then(sent, () => undefined) // that commands fail is told by the commands
    wait(PROBE_LIMIT, () => {
      // Where it was sent only now it may come in a moment.
      const overdue = !arrived && performance.now() - sentAt > PROBE_LIMIT / 2
      if (overdue) return lost()
      if (!arrived && !isDoubted) {
        isDoubted = true
        doubted()
      }
      // Where it is doubted messages are worth nothing until the next one has come.
      if (isDoubted) probe()
      else wait(PROBE_EVERY - PROBE_LIMIT, probe)
    })
  }

  function stop(): void {
    round++
    clearTimeout(timer)
  }

  return {
    start() {
      stop()
      isDoubted = false
      wait(PROBE_EVERY, probe)
    },
    stop,
    heard() {
      arrived = true
      if (!isDoubted) return
      isDoubted = false
      sure()
    },
  }
}
