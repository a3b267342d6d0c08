import { readFile } from 'node:fs/promises'
import { lineOf, type Machine } from '../../test/load/machine.ts'

/** What something takes of a server's time: µs, and µs for each byte of it. */
export interface Cost {
  readonly each: number
  readonly byte: number
}

/** What the simulation knows of servers and networks; all of it is measured but the bandwidth. */
export interface Parameters {
  readonly machine: Machine
  /** ms that a message takes one way. With half of what a client takes for a command of its own. */
  readonly latency: number
  /** Bytes a ms that one server's network card takes in, and as many out: said, not measured. */
  readonly bandwidth: number
  /** A GET from a connection of its own, by the bytes that it finds. */
  readonly get: Cost
  /** One key more in an MGET. */
  readonly readKey: number
  /** A claim of one id, from a connection of its own. */
  readonly claim: number
  /** One id more in a claim. */
  readonly claimKey: number
  /** The end of a flight that nobody waits for, by the bytes of the entry. */
  readonly end: Cost
  /** One id more in an end. */
  readonly endKey: number
  /** A PUBLISH in a script, by the bytes of the message. */
  readonly publish: Cost
  /** What the script has published to one subscriber, written to its connection. */
  readonly push: Cost
  readonly renew: number
  /** The script that reads the clock of tags. */
  readonly clock: number
  readonly set: Cost
  /** A message on the way from one node of a cluster to another one: what it costs who sends it, by its bytes on the bus. */
  readonly busSend: Cost
  /** And who gets it. */
  readonly busReceive: Cost
  /** Bytes on the bus of a message of none. */
  readonly busHeader: number
  /** What an instance at rest sends: a message to itself, as it comes back; INFO; TIME; CLUSTER SLOTS by each master. */
  readonly probe: number
  readonly info: number
  readonly time: number
  readonly slots: number
}

/** 10 Gbit/s. */
export const BANDWIDTH = 1.25e6

export async function readParameters(file: string | URL): Promise<Parameters> {
  return JSON.parse(await readFile(file, 'utf8'))
}

/** One table of all of them. */
export function parameterRows({ machine: _, latency, bandwidth, ...costs }: Parameters) {
  const rows = Object.entries(costs).map(([what, cost]) =>
    typeof cost === 'number'
      ? { what, figure: cost, 'µs per KB': '–' }
      : { what, figure: cost.each, 'µs per KB': (cost.byte * 1000).toFixed(3) },
  )
  return [
    { what: 'latency, one way (ms)', figure: latency, 'µs per KB': '–' },
    { what: 'bandwidth (Gbit/s), said', figure: (bandwidth * 8) / 1e6, 'µs per KB': '–' },
    ...rows,
  ]
}

export function sourceOf({ machine }: Parameters): string {
  return `parameters: ${lineOf(machine)}`
}
