import { Buffer } from 'node:buffer'
import { LRUCache } from 'lru-cache'
import { type Bytes, type Codec, json, rich } from './codec.ts'
import { decodeEntry, type Entry, entryTags } from './entry.ts'
import { freezeAll } from './freeze.ts'
import { freshFor } from './freshness.ts'
import type { Found } from './lookup.ts'
import type { MemorySettings } from './memoryOptions.ts'
import { tagIds } from './tag.ts'

/** A value that is under way from the store. */
export interface Coming {
  /** Keeps what came, unless it was invalidated since it was asked for: plain data is frozen then. */
  keep(found: Found): void
  /** As `keep`, for an entry of which only the bytes are at hand. */
  keepBytes(entry: Bytes): void
  /** Nothing comes of it any more. To be called once, whatever came. */
  end(): void
}

/**
 * What this instance knows of fresh values, so that it need not ask the store.
 *
 * (1) A reads, (2) B invalidates, (3) A hears of that and has nothing to drop, (4) A's reply comes: kept, it would be answered
 * for as long as memory has it. So a value is kept only if nothing of the kind was heard since the command that brought it was
 * sent, and nothing at all while messages may be lost.
 */
export interface Tier {
  /** A value that is fresh; nothing is sent, and no promise made. What is handed out nobody can change for others. */
  get(id: string): (Found & { type: 'value' }) | undefined
  /** To be called before the command is sent. */
  expect(id: string): Coming
  /** These were invalidated or set. */
  drop(ids: readonly string[]): void
  /** Values with one of these tags (their ids) were invalidated; whether those under way have one is not known. */
  dropTags(tags: readonly string[]): void
  /** Everything, also what is under way. */
  clear(): void
  /** Whether messages arrive from now on. What was missed before nobody knows. */
  confirm(confirmed: boolean): void
  readonly size: { readonly entries: number; readonly bytes: number }
}

/** A value in memory. */
interface Held {
  readonly entry: Entry
  /** By `performance.now()`. */
  readonly until: number
  /** Ids of tags. */
  readonly tags: readonly string[]
  readonly bytes: number
  /** What nobody can change; of all else, and of what nobody has asked for yet, there are only the bytes: it is decoded each time. */
  found: (Found & { type: 'value' }) | undefined
}

/** Bytes that a tag of an entry takes besides its name. */
const TAG_OVERHEAD = 100
/** Bytes that an entry takes besides its value and its id. */
const OVERHEAD = 200

/** @param now ms since the epoch, by the store's clock */
export function createTier(
  settings: MemorySettings | undefined,
  codecs: ReadonlyMap<string, Codec>,
  now: () => number,
): Tier {
  return settings === undefined ? NO_TIER : openTier(settings, codecs, now)
}

const NOT_COMING: Coming = Object.freeze({ keep: () => undefined, keepBytes: () => undefined, end: () => undefined })

const NO_TIER: Tier = Object.freeze({
  get: () => undefined,
  expect: () => NOT_COMING,
  drop: () => undefined,
  dropTags: () => undefined,
  clear: () => undefined,
  confirm: () => undefined,
  size: Object.freeze({ entries: 0, bytes: 0 }),
})

function openTier(
  { maxBytes, maxEntries, ttl }: MemorySettings,
  codecs: ReadonlyMap<string, Codec>,
  now: () => number,
): Tier {
  const tagged = new Map<string, Set<string>>()
  const all = new LRUCache<string, Held>({
    max: maxEntries,
    maxSize: maxBytes,
    sizeCalculation: ({ bytes }, id) => bytes + id.length + OVERHEAD,
    dispose({ tags }, id) {
      for (const tag of tags) {
        const ids = tagged.get(tag)
        if (ids?.delete(id) && ids.size === 0) tagged.delete(tag)
      }
    },
  })
  /** What is under way, by id. Taken out, it is not kept. */
  const coming = new Map<string, Set<Coming>>()
  let confirmed = false
  /** Codecs that answer by a promise: theirs can't be had without one. */
  const awaited = new Set<string>()

  function keep(id: string, entry: Entry, bytes: number, found: Held['found']): void {
    const left = Math.min(ttl, freshFor(entry, now()))
    if (left <= 0) return
    const tags = entry.extension.byteLength === 0 ? [] : tagIds(entryTags(entry))
    const ofTags = 2 * entry.extension.byteLength + tags.length * TAG_OVERHEAD
    all.set(id, { entry, until: performance.now() + left, tags, bytes: bytes + ofTags, found })
    if (!all.has(id)) return // larger than all of it
    for (const tag of tags) tagged.set(tag, (tagged.get(tag) ?? new Set()).add(id))
  }

  const isKept = ({ codec }: Entry) => codecs.has(codec) && !awaited.has(codec)

  /** Of what can't be frozen everybody gets a value of his own. */
  function decoded(id: string, held: Held): (Found & { type: 'value' }) | undefined {
    const { entry } = held
    try {
      const codec = codecs.get(entry.codec)
      // A codec may give a view of what it is given: of these bytes all get their values.
      const isOwn = entry.codec === json.id || entry.codec === rich.id || codec?.immutable === true
      const value = codec?.decode(isOwn ? entry.payload : Buffer.from(entry.payload))
      const found = { type: 'value', value, entry } as const
      if (value instanceof Promise) {
        value.catch(() => undefined) // told where it is read
        awaited.add(entry.codec)
      } else {
        if (codec?.immutable === true || (entry.codec === json.id && freezeAll(value))) held.found = found
        return found
      }
    } catch {
      // Read from the store it is told.
    }
    all.delete(id)
    return undefined
  }

  return {
    get(id) {
      const held = all.get(id)
      if (held === undefined) return undefined
      if (held.until > performance.now()) return held.found ?? decoded(id, held)
      all.delete(id)
      return undefined
    },

    expect(id) {
      if (!confirmed) return NOT_COMING
      const others = coming.get(id) ?? new Set()
      coming.set(id, others)
      const isGood = () => others.has(own)
      const own: Coming = {
        keep(found) {
          if (!isGood() || found.type !== 'value' || !isKept(found.entry)) return
          const { value, entry } = found
          const isFrozen = codecs.get(entry.codec)?.immutable === true || (entry.codec === json.id && freezeAll(value))
          // A reply may be a view of much more that was received: a part of it would hold all of it.
          const own = { ...entry, extension: copyOf(entry.extension), payload: isFrozen ? NONE : copyOf(entry.payload) }
          keep(id, own, entry.payload.byteLength, isFrozen ? { type: 'value', value, entry: own } : undefined)
        },
        keepBytes(bytes) {
          const entry = isGood() ? decodeEntry(bytes) : undefined
          if (entry !== undefined && isKept(entry)) keep(id, entry, entry.payload.byteLength, undefined)
        },
        end() {
          if (others.delete(own) && others.size === 0 && coming.get(id) === others) coming.delete(id)
        },
      }
      others.add(own)
      return own
    },

    drop(ids) {
      for (const id of ids) {
        all.delete(id)
        coming.get(id)?.clear()
        coming.delete(id)
      }
    },

    dropTags(tags) {
      for (const tag of tags) for (const id of [...(tagged.get(tag) ?? [])]) all.delete(id)
      forgetComing()
    },

    clear,

    confirm(now) {
      clear()
      confirmed = now
    },

    get size() {
      return { entries: all.size, bytes: all.calculatedSize }
    },
  }

  function clear(): void {
    all.clear()
    forgetComing()
  }

  function forgetComing(): void {
    for (const one of coming.values()) one.clear()
    coming.clear()
  }
}

const NONE = new Uint8Array()

function copyOf(bytes: Bytes): Bytes {
  return bytes.byteLength === 0 ? NONE : Uint8Array.from(bytes)
}
