import type { Cost, Parameters } from './parameters.ts'
import { seeded } from './random.ts'
import type { Timeline } from './timeline.ts'
import { createTimeline } from './timeline.ts'

/** Something that does one thing after the other, in the order of coming. */
interface Line {
  /** ms that it has worked so far. */
  readonly busy: number
  /** When it is done with what came before. */
  readonly freeAt: number
  /** @returns when what comes at `from` and takes `duration` is done */
  take(from: number, duration: number): number
}

function createLine(): Line {
  const line = {
    busy: 0,
    freeAt: 0,
    take(from: number, duration: number) {
      line.busy += duration
      line.freeAt = Math.max(line.freeAt, from) + duration
      return line.freeAt
    },
  }
  return line
}

/** One server: one thread for commands, and a network card that takes in and gives out at once. */
export interface Master {
  readonly processor: Line
  readonly cardIn: Line
  readonly cardOut: Line
  /** Bytes from clients and to them. */
  in: number
  out: number
  /** Bytes to other nodes. */
  busOut: number
}

/** A message on its way to an instance. */
export interface Push {
  /** The master that the instance hears its inbox by. */
  readonly by: number
  /** Of what is written to its connection. */
  readonly bytes: number
  /** Of the messages with their channels, as nodes tell each other. */
  readonly told: number
  /** How many messages it is made of: those of one script come together. */
  readonly messages: number
  arrived(): void
}

/** What a server does for one command. */
export interface Work {
  /** µs. */
  readonly service: number
  readonly replyBytes: number
  readonly pushes?: readonly Push[]
}

/** A sent command: when its reply is there, what it was sent at. */
export type Replied = (sentAt: number) => void

export interface Network {
  readonly timeline: Timeline
  readonly random: () => number
  readonly masters: readonly Master[]
  /** By their kinds. */
  readonly commands: Record<string, number>
  busMessages: number
  /** A client sends a command. `work` is asked when its turn is known, in the order of turns; that is when state changes. */
  command(kind: string, master: number, bytes: number, work: (turn: number) => Work, replied: Replied): void
}

/** Messages on the bus that are looked at together. */
const TRAIN = 64

export function createNetwork(parameters: Parameters, masterCount: number, seed: number): Network {
  const { latency, bandwidth, push, busSend, busReceive } = parameters
  const timeline = createTimeline()
  const masters: readonly Master[] = Array.from({ length: masterCount }, () => ({
    processor: createLine(),
    cardIn: createLine(),
    cardOut: createLine(),
    in: 0,
    out: 0,
    busOut: 0,
  }))

  function give(master: Master, bytes: number, from: number, arrived: () => void): void {
    master.out += bytes
    timeline.at(master.cardOut.take(from, bytes / bandwidth) + latency, arrived)
  }

  /** Writes to subscribers of this master. */
  function write(master: Master, from: number, pushes: readonly Push[]): void {
    for (const { bytes, arrived } of pushes)
      give(master, bytes, master.processor.take(from, costOf(push, bytes)), arrived)
  }

  /** In a cluster all nodes are told all messages: which of them has the subscriber only itself knows. */
  function tellAll(sender: Master, from: number, pushes: readonly Push[]): void {
    const others = masters.map((master, index) => ({ master, index })).filter(({ master }) => master !== sender)
    for (let first = 0; first < pushes.length; first += TRAIN) {
      const train = pushes.slice(first, first + TRAIN)
      const own = train.filter(({ by }) => masters[by] === sender)
      write(sender, from, own)
      const count = train.reduce((sum, { messages }) => sum + messages, 0)
      const bytes = train.reduce((sum, { told }) => sum + told, 0) + count * parameters.busHeader
      for (const { master, index } of others) {
        const sent = sender.processor.take(from, (count * busSend.each + bytes * busSend.byte) / 1000)
        sender.busOut += bytes
        network.busMessages += count
        timeline.at(sender.cardOut.take(sent, bytes / bandwidth) + latency, () => {
          const here = master.cardIn.take(timeline.now, bytes / bandwidth)
          master.processor.take(here, (count * busReceive.each + bytes * busReceive.byte) / 1000)
          write(
            master,
            here,
            train.filter(({ by }) => by === index),
          )
        })
      }
    }
  }

  const network: Network = {
    timeline,
    random: seeded(seed),
    masters,
    commands: {},
    busMessages: 0,
    command(kind, to, bytes, work, replied) {
      const master = masters[to] as Master
      const sentAt = timeline.now
      network.commands[kind] = (network.commands[kind] ?? 0) + 1
      timeline.at(sentAt + latency, () => {
        master.in += bytes
        const here = master.cardIn.take(timeline.now, bytes / bandwidth)
        const { service, replyBytes, pushes = [] } = work(Math.max(here, master.processor.freeAt))
        const done = master.processor.take(here, service / 1000)
        if (pushes.length > 0) {
          if (masters.length === 1) write(master, done, pushes)
          else tellAll(master, done, pushes)
        }
        give(master, replyBytes, done, () => replied(sentAt))
      })
    },
  }
  return network
}

/** ms. */
function costOf({ each, byte }: Cost, bytes: number): number {
  return (each + byte * bytes) / 1000
}
