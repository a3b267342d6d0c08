import type { Bytes } from './codec.ts'
import { decodeEntry, type Entry, markOf, markOfStamp } from './entry.ts'
import { decodeError, ERROR_CODEC, type LoaderError, messageOf } from './errors.ts'
import { freeze } from './freeze.ts'
import { type Freshness, freshnessOf } from './freshness.ts'
import type { Instance } from './instance.ts'
import type { Seen } from './store.ts'

/** What a read found: a value of ours, an error that was stored in the place of one, or what a claim has to name as seen. */
export type Found =
  | { readonly type: 'value'; readonly value: unknown; readonly entry: Entry }
  | { readonly type: 'error'; readonly error: LoaderError; readonly entry: Entry }
  | { readonly type: 'nothing'; readonly seen: Exclude<Seen, 'any'> }

export type FoundValue = Found & { readonly type: 'value' }

/** What a look found, or why it could not be done. */
export interface Look {
  readonly found: Found | 'fault'
  /** How it may be used; `'expired'` for what is no value or error. */
  readonly use: Freshness
  /** How long it took, in ms. */
  readonly duration: number
  readonly tier?: 'memory' | undefined
}

/** What a claim has to name as seen after this look. */
export function seenIn({ found }: Look): Seen {
  if (found === 'fault') return 'any'
  return found.type === 'nothing' ? found.seen : markOfStamp(found.entry.stamp)
}

/** The value that a look found, however old. */
export function valueIn(look: Look | undefined): FoundValue | undefined {
  if (look === undefined || look.found === 'fault' || look.found.type !== 'value') return undefined
  return look.found
}

/** The value that a look found, where that is fresh. */
export function freshIn(look: Look): FoundValue | undefined {
  return look.use === 'fresh' || look.use === 'early' ? valueIn(look) : undefined
}

/** Shares one read among all who look at an id in the same moment. */
export interface Looks {
  /** Never rejects. */
  at(id: string): Promise<Look>
  /** Who looks from now on must not get what was read before. */
  detach(id: string): void
  /** As `detach` for each. */
  seal(): void
}

/**
 * A look that is under way: `undefined` when it has come. A table of V8's `Map` that was replaced by another points at that one
 * (`OrderedHashTable`, its next table), and once it is old it keeps all later ones until a full collection, with what they held: let
 * that be this, and no values.
 */
interface Underway {
  look: Promise<Look> | undefined
}

export function createLooks(instance: Instance): Looks {
  const { session, tier } = instance
  const looks = new Map<string, Underway>()

  async function start(id: string, own: Underway): Promise<Look> {
    const startedAt = performance.now()
    const coming = tier.expect(id)
    let found: Look['found']
    let use: Freshness = 'expired'
    try {
      const decoded = foundIn(instance, id, await read(instance, id))
      found = decoded instanceof Promise ? await decoded : decoded
      if (found.type !== 'nothing') use = freshnessOf(found.entry, session.now)
      if (found.type === 'value') {
        coming.keep(found)
        freeze(found.value)
      }
    } catch {
      found = 'fault' // the breaker told why
    }
    coming.end()
    own.look = undefined
    if (looks.get(id) === own) looks.delete(id)
    return { found, use, duration: performance.now() - startedAt }
  }

  return {
    at(id) {
      const shared = looks.get(id)?.look
      if (shared !== undefined) return shared
      const own: Underway = { look: undefined }
      own.look = start(id, own)
      looks.set(id, own)
      return own.look
    },
    detach: (id) => void looks.delete(id),
    seal: () => looks.clear(),
  }
}

const NOTHING: Found = { type: 'nothing', seen: 'none' }

/** Reads the id and decodes what is there. Rejects with the store's fault. */
export async function lookup(instance: Instance, id: string): Promise<Found> {
  return foundIn(instance, id, await read(instance, id))
}

function read({ breaker, session, settings }: Instance, id: string): Promise<Bytes | undefined> {
  return breaker.run({ op: 'read', key: id, timeout: settings.commandTimeout }, () => session.read(id))
}

function foundIn(instance: Instance, id: string, bytes: Bytes | undefined): Found | Promise<Found> {
  return bytes === undefined ? NOTHING : decode(instance, id, bytes)
}

/** Bytes that are not ours, are damaged, or of a codec unknown here, are a miss and an event. */
export function decode(instance: Instance, id: string, bytes: Bytes): Found | Promise<Found> {
  const foreign = (reason: string): Found => {
    instance.events.emit({ type: 'foreign', key: id, reason })
    return { type: 'nothing', seen: markOf(bytes) }
  }
  const entry = decodeEntry(bytes)
  if (entry === undefined) return foreign(`${bytes.byteLength} bytes without a header of ours`)
  if (entry.codec === ERROR_CODEC) {
    const error = decodeError(entry.payload)
    return error === undefined ? foreign('a damaged error') : { type: 'error', error, entry }
  }
  const reader = instance.codecs.get(entry.codec)
  if (reader === undefined) return foreign(`no codec '${entry.codec}' here`)
  const damaged = (error: unknown) => foreign(`the codec '${entry.codec}' can't read it: ${messageOf(error)}`)
  try {
    const value = reader.decode(entry.payload)
    if (!(value instanceof Promise)) return { type: 'value', value, entry }
    return value.then((awaited): Found => ({ type: 'value', value: awaited, entry }), damaged)
  } catch (error) {
    return damaged(error)
  }
}
