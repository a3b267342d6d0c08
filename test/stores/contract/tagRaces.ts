import { expect, test } from 'vitest'
import type { Session } from '../../../src/index.ts'
import { entryOf, LONG, newToken, openPeers, type Peer, type StoreSource, textOf } from './peers.ts'
import { type Random, randomFrom, someTurns } from './random.ts'
import { membersOf } from './tagged.ts'

const STEPS = 1500
const IDS = Array.from({ length: 60 }, (_, i) => `x:${i}`)
const TAGS = ['r', 's', 't']

/**
 * Leaders and writers that store values with tags, against invalidations of the tags, in orders that a seed decides as
 * far as it can. Each does what the cache does, one call after the other; any order of all calls must keep the promise.
 */
export function tagRaces(source: StoreSource): void {
  test.each([1, 2, 3, 4])(
    `a value begun before an invalidation of its tag is not readable after it, in ${STEPS} steps of seed %d`,
    async (seed) => {
      await using peers = await openPeers(source)
      const all = [await peers.join(), await peers.join(), await peers.join(), await peers.join()]
      const history = await wander(all, randomFrom(seed), STEPS)
      expect(stale(history)).toEqual([])
      // Else there was no race.
      for (const verdict of ['stored', 'refused', 'fenced'] as const) {
        expect(history.values.filter((value) => value.verdict === verdict).length, verdict).toBeGreaterThan(STEPS / 300)
      }
      // All is over: what is stored must be where the next invalidation looks for it.
      expect(await lost((all[0] as Peer).session, history)).toEqual([])
    },
  )
}

/** From when to when, in an order of this process. */
interface Span {
  readonly from: number
  readonly to: number
}

interface Value {
  readonly token: string
  readonly tags: readonly string[]
  /** When its computation began. */
  readonly begun: number
  verdict: 'under way' | 'stored' | 'refused' | 'fenced'
}

interface History {
  readonly values: Value[]
  readonly invalidations: (Span & { readonly tag: string })[]
  readonly reads: (Span & { readonly id: string; readonly token: string })[]
}

async function wander(all: readonly Peer[], random: Random, steps: number): Promise<History> {
  const history: History = { values: [], invalidations: [], reads: [] }
  let now = 0
  let left = steps
  const pick = <T>(list: readonly T[]) => list[random(list.length)] as T

  /** Lists, looks at the epoch, and ends: as leader or as taker of the flight. */
  async function publish(session: Session, id: string, token: string, clock: number): Promise<void> {
    const tags = TAGS.filter(() => random(2) === 0)
    const value: Value = { token, tags: tags.length === 0 ? TAGS : tags, begun: now++, verdict: 'under way' }
    history.values.push(value)
    await someTurns(random)
    const epoch = await session.index(id, value.tags, LONG)
    await someTurns(random)
    const refused = epoch > clock
    const ended = await session.end(
      id,
      token,
      refused ? { type: 'again' } : { type: 'value', entry: entryOf(token), ttl: LONG },
    )
    value.verdict = ended.type === 'fenced' ? 'fenced' : refused ? 'refused' : 'stored'
  }

  async function invalidate(session: Session, tag: string): Promise<void> {
    const from = now++
    const clock = await session.step()
    await someTurns(random)
    await session.mark(tag, clock)
    await someTurns(random)
    let at: string | undefined
    do {
      const page = await session.members(tag, at)
      await someTurns(random)
      await session.remove(page.ids)
      at = page.next
    } while (at !== undefined)
    await someTurns(random)
    await session.sweep(tag, clock)
    history.invalidations.push({ tag, from, to: now++ })
    await read(session)
  }

  async function read(session: Session): Promise<void> {
    const from = now++
    const entries = await session.readMany(IDS)
    for (const [i, entry] of entries.entries()) {
      if (entry !== undefined) history.reads.push({ id: IDS[i] as string, token: stampOf(entry), from, to: now })
    }
  }

  async function walk(session: Session): Promise<void> {
    while (left-- > 0) {
      const id = pick(IDS)
      const token = newToken()
      const chance = random(10)
      if (chance === 0) await invalidate(session, pick(TAGS))
      else if (chance === 1) await read(session)
      else if (chance === 2) await publish(session, id, token, await session.take(id, token, LONG))
      else {
        const claim = await session.claim(id, { token, seen: 'any', lease: LONG })
        if (claim.type === 'lead') await publish(session, id, token, claim.clock ?? 0)
      }
      await someTurns(random)
    }
  }

  await Promise.all(Array.from({ length: 16 }, (_, i) => walk((all[i % all.length] as Peer).session)))
  await read((all[0] as Peer).session)
  return history
}

/** What was read after an invalidation had returned, and had been begun before that invalidation was asked for. */
function stale({ values, invalidations, reads }: History): string[] {
  const begun = new Map(values.map((value) => [value.token, value]))
  return reads.flatMap(({ id, token, from }) => {
    const value = begun.get(token) as Value
    const over = invalidations.find((one) => value.tags.includes(one.tag) && value.begun < one.from && one.to < from)
    return over === undefined ? [] : [`${id}: begun at ${value.begun}, ${over.tag} at ${over.from}, read at ${from}`]
  })
}

/** Entries that are not in the index of a tag of theirs. */
async function lost(session: Session, { values }: History): Promise<string[]> {
  const members = new Map(await Promise.all(TAGS.map(async (tag) => [tag, await membersOf(session, tag)] as const)))
  const entries = await session.readMany(IDS)
  return IDS.flatMap((id, i) => {
    const entry = entries[i]
    const value = entry && values.find(({ token }) => token === stampOf(entry))
    return (value?.tags ?? []).filter((tag) => !members.get(tag)?.includes(id)).map((tag) => `${id} is not in ${tag}`)
  })
}

function stampOf(entry: Uint8Array): string {
  return textOf(entry.subarray(4, 20)) as string
}
