import type { Barrier } from './barrier.ts'
import type { Callers } from './caller.ts'
import type { Changes } from './changes.ts'
import type { Clock } from './clock.ts'
import { type Host, isAwake } from './host.ts'
import type { Ledger } from './ledger.ts'
import type { Network, Packet } from './network.ts'
import { type Origin, type Run, textOf } from './origin.ts'
import type { Random } from './random.ts'

/** What may happen next. */
export interface Actions {
  /** Does one of the things that are possible, by chance. */
  next(): Promise<void>
  /** Everything goes well until each key was computed once. */
  warmUp(): Promise<void>
  /** Ends all pauses and breaks. */
  heal(): Promise<void>
  /** Delivers the next packet, or ends a loader; `false` where there is nothing of the kind. */
  settle(): Promise<boolean>
}

export interface ActionsOptions {
  readonly clock: Clock
  readonly random: Random
  readonly network: Network
  readonly origin: Origin
  readonly ledger: Ledger
  readonly callers: Callers
  readonly changes: Changes
  readonly hosts: readonly Host[]
  readonly keys: readonly string[]
  run(host: Host | undefined, text: string, enter: () => void): Promise<void>
  advance(ms: number): Promise<void>
  /** To be called after each timer. */
  ran(): Promise<void>
}

export function createActions(options: ActionsOptions): Actions {
  const { clock, random, network, origin, ledger, callers, changes, hosts, keys, run, advance, ran } = options
  /** Each seed has a world of its own: quiet ones reach deep states, rough ones strange ones. */
  const rough = random.pick([0, 0.3, 1, 3])
  const busy = random.pick([0.5, 1, 2])
  const changing = random.pick([0.5, 1, 2])
  /** How soon loaders end. */
  const quick = random.pick([0.1, 1, 1])
  /** How often the newest packet overtakes all others. */
  const haste = random.pick([0, 0.4, 0.8])
  /** How often a change that is under way goes on before anything else: it takes many steps, and must come to its end. */
  const prompt = random.pick([0, 0.4, 0.8])

  const awake = () => hosts.filter((host) => isAwake(host) && !host.closed)
  const endable = () => origin.running.filter(({ host }) => isAwake(host))
  const abortable = () => callers.waiting.filter(({ host, abort }) => isAwake(host) && !abort.signal.aborted)
  const paused = () => hosts.filter((host) => host.paused && !host.crashed)
  const cut = () => hosts.filter((host) => network.isCut(host) && isAwake(host))

  /** Of invalidations and writes. */
  const due = () => network.deliverable().filter(({ text }) => CHANGING.test(text))
  const keyOf = ({ parts }: Barrier) => keys.find((key) => key === parts[0]?.item) ?? random.pick(keys)

  async function ask(host = random.pick(awake()), key = random.pick(keys)): Promise<void> {
    const kind = random.below(12)
    if (kind === 0) {
      await run(host, `${host.name}: get ${key}`, () => {
        host.cause = { type: 'get' }
        callers.ask(host, key, 'get', false)
      })
      return
    }
    const method = kind === 1 ? 'claim' : 'getOrSet'
    const forced = random.chance(0.12)
    const count = random.chance(0.2) ? 2 + random.below(8) : 1
    const before = sentBy(host)
    await run(host, `${host.name}: ${method} ${key}${forced ? ', forced' : ''}, ${count} callers`, () => {
      host.cause = { type: 'calls' }
      for (let i = 0; i < count; i++) callers.ask(host, key, method, forced)
    })
    if (sentBy(host) - before > 1)
      ledger.accuse(`I8: ${count} callers of ${host.name} made it send more than one command`)
  }

  function sentBy(host: Host): number {
    // Not the clock of tags, which all who ask share.
    return network.packets.filter(
      ({ type, host: from, text }) => type === 'request' && from === host && text !== 'clock',
    ).length
  }

  async function deliver(packet: Packet): Promise<void> {
    const { type, host, text } = packet
    const direction = type === 'request' ? '→ store' : `→ ${host.name}`
    await run(type === 'request' ? undefined : host, `${direction}: ${type} of ${host.name}: ${text}`, () =>
      network.deliver(packet),
    )
  }

  async function end(loader: Run, how: 'finish' | 'fail' | 'refuse' | 'abort'): Promise<void> {
    const { host, key, value } = loader
    const errors = {
      fail: new Error(`load of ${key} failed`),
      refuse: new Error(`load of ${key} says 403`),
      abort: Object.assign(new Error(`load of ${key} was aborted by its database`), { name: 'AbortError' }),
    }
    await run(host, `${host.name}: ${textOf(value)}: ${how}`, () => {
      if (how === 'finish') loader.finish()
      else loader.fail(errors[how])
    })
  }

  async function goOn(host: Host): Promise<void> {
    host.paused = false
    // Stopped anywhere in its loop: what came in meanwhile may be read before its timers run, or after.
    const first = random.chance(0.5)
      ? network.deliverable().filter(({ type, host: to }) => to === host && type !== 'request')
      : []
    await run(undefined, `${host.name}: goes on`, () => undefined)
    for (const packet of first.slice(0, 2)) if (network.packets.includes(packet)) await deliver(packet)
    await clock.catchUp(ran)
  }

  /** What there is to do, and how likely each is: `[weight, do it]`. */
  function possible(): readonly (readonly [weight: number, act: () => Promise<void>])[] {
    const packets = network.deliverable()
    const loaders = endable()
    const up = awake()
    const alive = hosts.filter((host) => !host.crashed && !host.closed)
    const messages = packets.filter(({ type }) => type === 'event')
    const twice = packets.filter(({ resend }) => resend !== undefined)
    /** There is something that a change could be about. */
    const worthwhile = loaders.length > 0 || ledger.stored.length > 0
    /** Changes wait for what was lost. */
    const stuck = changes.underWay.length > 0 && !network.packets.some(({ text }) => CHANGING.test(text))
    const weight = (weight: number, ...needs: readonly (readonly unknown[])[]) =>
      needs.every((list) => list.length > 0) ? weight : 0
    return [
      [weight(3 + 2 * packets.length, packets), () => deliver(choose(packets))],
      [weight(3 * busy, up), () => ask()],
      [weight((changes.underWay.length > 0 ? 4 : 2) * quick, loaders), () => end(random.pick(loaders), 'finish')],
      [weight(0.5 * quick, loaders), () => end(random.pick(loaders), random.pick(['fail', 'refuse', 'abort']))],
      [weight((worthwhile ? 1.6 : 0.2) * changing, up), () => changes.next(random.pick(up))],
      [weight(0.8, up, changes.unconfirmed), () => changes.repeat(random.pick(up))],
      [1, () => advance(1 + random.below(20))],
      [0.25, () => advance(random.pick([BUDGET_AND_MORE, LEASE_AND_MORE]))],
      [weight(0.3, abortable()), () => abort()],
      [weight(0.4 * rough, packets), () => lose(random.pick(packets))],
      [weight(0.4 * rough, due()), () => lose(random.pick(due()))],
      [stuck ? 1 : 0, () => advance(BUDGET_AND_MORE)],
      [weight(0.3 * rough, messages), () => duplicate(random.pick(messages))],
      [weight(0.4 * rough, twice), () => resend(random.pick(twice))],
      [weight(0.12 * rough, up), () => cutOne(random.pick(up))],
      [weight(0.6, cut()), () => mend(random.pick(cut()))],
      [weight(0.2 * rough, up), () => pause(random.pick(up))],
      [weight(0.6, paused()), () => goOn(random.pick(paused()))],
      [alive.length > 2 ? 0.06 * rough : 0, () => crash(random.pick(alive))],
      [alive.length > 2 ? weight(0.04 * rough, up) : 0, () => close(random.pick(up))],
    ]
  }

  function choose(packets: readonly Packet[]): Packet {
    return random.chance(haste) ? (packets.at(-1) as Packet) : random.pick(packets)
  }

  async function abort(): Promise<void> {
    const call = random.pick(abortable())
    const { host, key, askedAt } = call
    await run(host, `${host.name}: the caller of ${key} of step ${askedAt} leaves`, () => {
      // Where it was the last one, the flight is given up, now or when its read is answered.
      host.detached.push({ key, at: Number.POSITIVE_INFINITY })
      call.abort.abort(new DOMException('the caller left', 'AbortError'))
    })
  }

  function lose(packet: Packet): Promise<void> {
    return run(undefined, `lost: ${packet.type} of ${packet.host.name}: ${packet.text}`, () => network.lose(packet))
  }

  function duplicate(packet: Packet): Promise<void> {
    return run(undefined, `doubled: ${packet.type} of ${packet.host.name}: ${packet.text}`, () =>
      network.duplicate(packet),
    )
  }

  function resend(packet: Packet): Promise<void> {
    return run(undefined, `sent again: ${packet.text} of ${packet.host.name}`, () => network.resend(packet))
  }

  function cutOne(host: Host): Promise<void> {
    return run(host, `${host.name}: its connections break`, () => network.cut(host))
  }

  function mend(host: Host): Promise<void> {
    return run(host, `${host.name}: is connected again`, () => network.mend(host))
  }

  function pause(host: Host): Promise<void> {
    return run(undefined, `${host.name}: is paused`, () => {
      host.paused = true
    })
  }

  function crash(host: Host): Promise<void> {
    return run(undefined, `${host.name}: crashes`, () => {
      host.crashed = true
      network.crash(host)
    })
  }

  function close(host: Host): Promise<void> {
    return run(host, `${host.name}: close`, () => void host.cache.close())
  }

  async function settle(): Promise<boolean> {
    const [packet] = network.deliverable()
    if (packet !== undefined) await deliver(packet)
    const [loader] = endable()
    if (packet === undefined && loader !== undefined) await end(loader, 'finish')
    return packet !== undefined || loader !== undefined
  }

  return {
    async next() {
      // A flight that is opened while a change is under way may bring what was there before it.
      const called = changes.called()
      if (called !== undefined && isAwake(called.host) && random.chance(0.4)) return ask(called.host, keyOf(called))
      const barrier = changes.returned()
      if (barrier !== undefined && isAwake(barrier.host) && random.chance(0.7)) return ask(barrier.host, keyOf(barrier))
      if (random.chance(prompt) && due().length > 0) return deliver(random.pick(due()))
      const list = possible()
      await list[random.weighted(list.map(([weight]) => weight))]?.[1]()
    },
    async warmUp() {
      for (const key of keys) {
        await ask(random.pick(hosts), key)
        while (await settle());
      }
    },
    async heal() {
      network.hurry()
      for (const host of paused()) await goOn(host)
      for (const host of cut()) await mend(host)
    },
    settle,
  }
}

/** What invalidations and writes consist of. */
const CHANGING = /^(?:set|take|remove|step|mark|members|sweep|list|announce)\b/

/** ms: commands time out; a lease ends. */
const BUDGET_AND_MORE = 60
const LEASE_AND_MORE = 320
