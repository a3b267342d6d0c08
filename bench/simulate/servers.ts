import { type Burst, namesOfKeys } from './burst.ts'
import type { Network, Push, Replied, Work } from './network.ts'
import type { Parameters } from './parameters.ts'
import { head, sizesOf } from './sizes.ts'

/** What the scripts of src/stores/redis/flightScripts.ts do, what they cost, and how many bytes go there and back. */
export interface Servers<I extends Instance> {
  /** Keys of one command: on a single server many, in a cluster one. */
  parts(keys: readonly number[], most: number, weight?: number): readonly (readonly number[])[]
  /** Of one command, as all that follows. */
  read(keys: readonly number[], replied: (found: readonly boolean[], sentAt: number) => void): void
  claim(instance: I, keys: readonly number[], replied: (verdicts: readonly Verdict[], sentAt: number) => void): void
  /** The clock of tags, where it is on a server of its own. */
  clock(replied: () => void): void
  renew(one: Led, replied: () => void): void
  /** @param stores or else the flights are given back */
  end(led: readonly Led[], stores: boolean): void
}

/** What a server knows of one: the master that it hears its inbox by. */
export interface Instance {
  readonly by: number
}

export type Verdict = 'hit' | { readonly lead: number } | { readonly wait: number; readonly left: number }

export interface Led {
  readonly key: number
  /** The token. */
  readonly lead: number
}

export interface Message {
  readonly key: number
  readonly token: number
  /** The value; that it can be read; that one is to claim again. */
  readonly letter: 'V' | 'R' | 'A'
}

/** What a server keeps of one key. */
interface Kept<I> {
  stored: boolean
  flight: { readonly token: number; endsAt: number; readonly waiters: Set<I> } | undefined
}

/** As in src/stores/redis/flights.ts, and the default of src/core/options.ts. */
const INLINE_LIMIT = 1024 * 1024
const CLUSTER_INLINE_LIMIT = 16 * 1024
const LEASE = 5000

/** @param hear what is published to one instance by one script */
export function createServers<I extends Instance>(
  network: Network,
  parameters: Parameters,
  burst: Burst,
  hear: (instance: I, messages: readonly Message[]) => void,
): Servers<I> {
  const { masters, valueBytes, namespace = 'atomcache' } = burst
  const clustered = masters > 1
  const inlineLimit = clustered ? CLUSTER_INLINE_LIMIT : INLINE_LIMIT
  const sizes = sizesOf(namespace, clustered, inlineLimit)
  const entryBytes = sizes.entry(valueBytes)
  const names = namesOfKeys(burst)
  const masterOf = names.map((_, key) => (key === 0 ? 0 : Math.floor(network.random() * masters)))
  const kept: Kept<I>[] = names.map(() => ({ stored: false, flight: undefined }))
  let tokens = 0

  const nameOf = (key: number) => names[key] as string
  const idsOf = (keys: readonly number[]) => keys.map(nameOf)
  const keptOf = (key: number) => kept[key] as Kept<I>
  const send = (kind: string, key: number, bytes: number, work: (turn: number) => Work, replied: Replied) =>
    network.command(kind, masterOf[key] as number, bytes, work, replied)

  function decide(instance: I, key: number, turn: number): Verdict {
    const at = keptOf(key)
    if (at.stored) return 'hit'
    if (at.flight !== undefined && at.flight.endsAt > turn) {
      at.flight.waiters.add(instance)
      return { wait: at.flight.token, left: at.flight.endsAt - turn }
    }
    at.flight = { token: ++tokens, endsAt: turn + LEASE, waiters: new Set() }
    return { lead: at.flight.token }
  }

  function sizeOf(verdict: Verdict): number {
    if (verdict === 'hit') return sizes.hit()
    return 'lead' in verdict ? sizes.led() : sizes.waits()
  }

  /** What is in the message beside its names. */
  const bodyOf = ({ letter }: Message) => (letter === 'V' ? entryBytes : 0)

  function pushTo(instance: I, messages: readonly Message[]): Push {
    const all = messages.map((message) => sizes.message(nameOf(message.key), bodyOf(message)))
    return {
      by: instance.by,
      bytes: all.reduce((sum, bytes) => sum + sizes.pushed(bytes), 0),
      told: all.reduce((sum, bytes) => sum + bytes + sizes.channel, 0),
      messages: all.length,
      arrived: () => hear(instance, messages),
    }
  }

  /** Ends what is still led by these; what is to be told to whom. */
  function finish(led: readonly Led[], stores: boolean): Map<I, Message[]> {
    const told = new Map<I, Message[]>()
    for (const { key, lead } of led) {
      const at = keptOf(key)
      if (at.flight?.token !== lead) continue
      const { waiters } = at.flight
      at.flight = undefined
      at.stored ||= stores
      const letter = !stores ? 'A' : entryBytes * waiters.size <= inlineLimit ? 'V' : 'R'
      for (const waiter of waiters) {
        const messages = told.get(waiter)
        if (messages === undefined) told.set(waiter, [{ key, token: lead, letter }])
        else messages.push({ key, token: lead, letter })
      }
    }
    return told
  }

  return {
    parts(keys, most, weight = 1) {
      if (clustered) return keys.map((key) => [key])
      const size = Math.max(1, Math.floor(most / weight))
      return Array.from({ length: Math.ceil(keys.length / size) }, (_, i) => keys.slice(i * size, (i + 1) * size))
    },

    read(keys, replied) {
      const { get, readKey } = parameters
      let found: readonly boolean[] = []
      const work = () => {
        found = keys.map((key) => keptOf(key).stored)
        const replyBytes = sizes.found(found.map((is) => (is ? entryBytes : undefined)))
        return { service: get.each + get.byte * replyBytes + readKey * (keys.length - 1), replyBytes }
      }
      send('read', keys[0] as number, sizes.read(idsOf(keys)), work, (sentAt) => replied(found, sentAt))
    },

    claim(instance, keys, replied) {
      let verdicts: readonly Verdict[] = []
      const work = (turn: number) => {
        verdicts = keys.map((key) => decide(instance, key, turn))
        const replyBytes = verdicts.reduce((sum, verdict) => sum + sizeOf(verdict), head(keys.length))
        return { service: parameters.claim + parameters.claimKey * (keys.length - 1), replyBytes }
      }
      send('claim', keys[0] as number, sizes.claim(idsOf(keys)), work, (sentAt) => replied(verdicts, sentAt))
    },

    clock(replied) {
      const work = () => ({ service: parameters.clock, replyBytes: sizes.clockReply() })
      network.command('clock', 1, sizes.clock(), work, replied)
    },

    renew({ key, lead }, replied) {
      const work = (turn: number) => {
        const { flight } = keptOf(key)
        if (flight?.token === lead) flight.endsAt = turn + LEASE
        return { service: parameters.renew, replyBytes: sizes.renewed(flight?.waiters.size ?? 0) }
      }
      send('renew', key, sizes.renew(nameOf(key)), work, replied)
    },

    end(led, stores) {
      const { end, endKey, publish } = parameters
      const body = stores ? entryBytes : 0
      const endings = led.map(({ key }) => ({ id: nameOf(key), entry: stores ? entryBytes : undefined }))
      const work = () => {
        const told = finish(led, stores)
        let service = end.each + endKey * (led.length - 1) + end.byte * body * led.length
        for (const message of [...told.values()].flat()) {
          service += publish.each + publish.byte * sizes.message(nameOf(message.key), bodyOf(message))
        }
        const pushes = [...told].map(([waiter, messages]) => pushTo(waiter, messages))
        return { service, replyBytes: sizes.ended(led.length), pushes }
      }
      send('end', (led[0] as Led).key, sizes.end(endings), work, () => undefined)
    },
  }
}
