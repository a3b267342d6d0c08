import type { UnconfirmedError } from '../../../src/index.ts'
import type { Barrier, Barriers } from './barrier.ts'
import { type Host, isAwake } from './host.ts'
import type { Ledger } from './ledger.ts'
import type { Origin } from './origin.ts'
import type { Random } from './random.ts'
import type { Seen } from './schedule.ts'
import { isTag, TAGS, tagsIn } from './tagging.ts'

/** What changes the origin, and tells a cache so. */
export interface Changes {
  next(host: Host): Promise<void>
  /** Tells again, elsewhere, what was not confirmed: it rejected, or its instance crashed. */
  repeat(host: Host): Promise<void>
  readonly unconfirmed: readonly Barrier[]
  /** Called, and not answered yet. */
  readonly underWay: readonly Barrier[]
  /** Once: what has just been called. */
  called(): Barrier | undefined
  /** Once: what has just returned. It is the moment to ask for what must not be had any more. */
  returned(): Barrier | undefined
}

export interface ChangesOptions {
  readonly random: Random
  readonly origin: Origin
  readonly barriers: Barriers
  readonly ledger: Ledger
  readonly keys: readonly string[]
  readonly tagged: boolean
  readonly step: () => number
  run(host: Host, text: string, enter: () => void): Promise<void>
  count(what: Seen): void
}

export function createChanges(options: ChangesOptions): Changes {
  const { random, origin, barriers, ledger, keys, tagged, step, run, count } = options
  let begun: Barrier | undefined
  let latest: Barrier | undefined
  const repeated = new Set<Barrier>()

  const underWay = () => barriers.all.filter(({ over, host }) => !over && isAwake(host))
  const someTags = () => (random.chance(0.3) ? TAGS.slice(0, 2) : [random.pick(TAGS.slice(0, 2))])

  /** Kind, and items. */
  function choose(): readonly [kind: Barrier['kind'], items: readonly string[]] {
    const key = random.pick(keys)
    // In the middle of a write with tags: one of the two must lose.
    const [writing] = underWay().flatMap(({ value }) => (value === undefined ? [] : tagsIn(value)))
    if (writing !== undefined && random.chance(0.4)) return ['invalidate', [writing]]
    const tags = ledger.stored.flatMap(tagsIn)
    if (tags.length > 0 && random.chance(0.4)) return ['invalidate', [random.pick(tags)]]
    const choice = random.weighted([3, 1.6, tagged ? 4 : 0, tagged ? 1 : 0, 1])
    switch (choice) {
      case 0:
        return ['invalidate', [key]]
      case 1:
        return ['set', [key]]
      case 2:
        return ['invalidate', someTags()]
      case 3:
        return ['invalidate', [key, ...someTags()]]
      default:
        return ['clear', keys]
    }
  }

  function tell({ host, kind, parts, value }: Barrier): Promise<boolean | undefined> {
    const items = parts.map(({ item }) => item)
    switch (kind) {
      case 'set': {
        const key = items[0] as string
        return host.cache.set(key, value, { tags: origin.taggingOf(key).option(value) as readonly string[] })
      }
      case 'invalidate':
        return done(host.cache.invalidate({ keys: items.filter((item) => !isTag(item)), tags: items.filter(isTag) }))
      case 'clear':
        return done(host.cache.clear())
      default:
        return kind satisfies never
    }
  }

  const done = (promise: Promise<void>) => promise.then(() => undefined)

  function returns(barrier: Barrier, won: boolean | undefined): void {
    barrier.over = true
    if (won === false) {
      barrier.lost = true
      count('a set that lost')
    } else if (barrier.kind === 'set' && barrier.storedAt === undefined) {
      ledger.accuse(`${barrier.name} resolved, and is not stored`)
    }
    for (const part of barrier.parts) part.returnedAt = step()
    latest = barrier
  }

  function fails(barrier: Barrier, error: Partial<UnconfirmedError>): void {
    barrier.over = true
    if (error.code !== 'UNCONFIRMED') ledger.accuse(`${barrier.name} rejected with ${String(error)}`)
    if (barrier.kind !== 'invalidate') return
    // Of what it does not name it is confirmed that it is done: nobody would repeat it.
    const named = [...(error.keys ?? []), ...(error.tags ?? [])]
    for (const part of barrier.parts) if (!named.includes(part.item)) part.returnedAt = step()
    if (named.length === 0) ledger.accuse(`${barrier.name} was not confirmed, and says of nothing that it is not`)
  }

  async function call(barrier: Barrier): Promise<void> {
    const { host, name, parts } = barrier
    begun = barrier
    await run(host, `${host.name}: ${name} of ${parts.map(({ item, version }) => item + version)}`, () => {
      host.cause = { type: 'barrier', barrier }
      const everything = barrier.kind === 'clear' || parts.some(({ item }) => isTag(item))
      for (const key of everything ? ['all'] : parts.map(({ item }) => item)) host.detached.push({ key, at: step() })
      tell(barrier).then(
        (won) => returns(barrier, won),
        (error: Partial<UnconfirmedError>) => fails(barrier, error),
      )
    })
  }

  const openParts = ({ parts }: Barrier) => parts.filter(({ returnedAt }) => returnedAt === undefined)
  const versionsOf = (items: readonly string[]) => items.map((item) => [item, origin.versionOf(item)] as const)

  return {
    async next(host) {
      const [kind, items] = choose()
      for (const item of items) origin.bump(item)
      const barrier = barriers.open(host, kind, versionsOf(items))
      if (kind === 'set') barrier.value = origin.read(items[0] as string, barrier.name)
      await call(barrier)
    },

    async repeat(host) {
      const former = random.pick(this.unconfirmed)
      repeated.add(former)
      count(former.over ? 'a change told again' : 'a change told again after a crash')
      const items = openParts(former).map(({ item }) => item)
      await call(barriers.open(host, former.kind, versionsOf(items)))
    },

    get unconfirmed() {
      return barriers.all.filter((barrier) => {
        const { kind, over, host } = barrier
        const failed = (over || host.crashed) && openParts(barrier).length > 0
        return failed && kind !== 'set' && !repeated.has(barrier)
      })
    },

    get underWay() {
      return underWay()
    },

    called() {
      const barrier = begun
      begun = undefined
      return barrier
    },

    returned() {
      const barrier = latest
      latest = undefined
      return barrier
    },
  }
}
