import type { Bytes } from './codec.ts'
import { decodeEntry, type Entry, markOf } from './entry.ts'
import { messageOf } from './errors.ts'
import { freeze } from './freeze.ts'
import type { Instance } from './instance.ts'
import type { Seen } from './store.ts'

/** What a read found: a value of ours, or what a claim has to name as seen. */
export type Found =
  | { readonly type: 'value'; readonly value: unknown; readonly entry: Entry }
  | { readonly type: 'nothing'; readonly seen: Exclude<Seen, 'any'> }

/** What a look found, or why it could not be done; and how long it took, in ms. */
export type Look = { readonly found: Found | 'fault'; readonly duration: number }

/** The value that a look found. */
export function storedIn(look: Look | undefined): (Found & { type: 'value' }) | undefined {
  if (look === undefined || look.found === 'fault' || look.found.type !== 'value') return undefined
  return look.found
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

export function createLooks(instance: Instance): Looks {
  const looks = new Map<string, Promise<Look>>()

  async function start(id: string, done: () => void): Promise<Look> {
    const startedAt = performance.now()
    let found: Look['found']
    try {
      found = await lookup(instance, id)
      if (found.type === 'value') freeze(found.value)
    } catch {
      found = 'fault' // the breaker told why
    }
    done()
    return { found, duration: performance.now() - startedAt }
  }

  return {
    at(id) {
      const shared = looks.get(id)
      if (shared !== undefined) return shared
      const look: Promise<Look> = start(id, () => {
        if (looks.get(id) === look) looks.delete(id)
      })
      looks.set(id, look)
      return look
    },
    detach: (id) => void looks.delete(id),
    seal: () => looks.clear(),
  }
}

const NOTHING: Found = { type: 'nothing', seen: 'none' }

/** Reads the id and decodes what is there. Rejects with the store's fault. */
export async function lookup(instance: Instance, id: string): Promise<Found> {
  const { commandTimeout: timeout } = instance.settings
  const bytes = await instance.breaker.run({ op: 'read', key: id, timeout }, () => instance.session.read(id))
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
