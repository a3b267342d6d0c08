import { notAsync } from './checks.ts'
import { type Bytes, type Codec, json, rich } from './codec.ts'
import { encodeEntry, NO_WINDOWS, type Times } from './entry.ts'
import { ERROR_CODEC, messageOf } from './errors.ts'
import { type Fit, fitOf } from './fit.ts'
import { lifeOf } from './freshness.ts'
import type { Instance } from './instance.ts'
import { type Key, keyShape } from './key.ts'
import type { Asker } from './newKeys.ts'
import type { Policy, TagsOption } from './options.ts'
import type { Ending } from './store.ts'
import { checkTags, tagIds } from './tag.ts'

/** What is to become an entry. */
export interface Publication {
  readonly id: string
  readonly key: Key
  /** What it is called in events; default: by its key. */
  readonly shape?: string | undefined
  /** The stamp of the entry. */
  readonly token: string
  readonly value: unknown
  readonly policy: Policy
  /** ms that it took to compute. */
  readonly cost: number
  /** Of this call, where they are not the policy's. */
  readonly tags?: TagsOption | undefined
  /** For whom, where it would be a key more. */
  readonly asker?: Asker | undefined
}

/** How a flight is to end with a value. */
export interface Offer {
  readonly ending: Ending
  /** Ids of the tags that the id must be listed under before. */
  readonly tags: readonly string[]
  /** Of the value, where it may be stored. */
  readonly times?: Times | undefined
}

/** How a flight ends with this value: stored, only shared, or neither. A promise only where the codec makes one. */
export function offerOf(instance: Instance, publication: Publication): Offer | Promise<Offer> {
  const { id, value, policy } = publication
  const policyError = (option: string, error: unknown): Offer => {
    instance.events.emit({ type: 'policyError', key: id, option, error })
    return ALONE
  }
  let times: Times
  let tags: readonly string[]
  try {
    const { shouldCache } = policy
    if (!(typeof shouldCache === 'function' ? notAsync('shouldCache', shouldCache(value)) : shouldCache)) return ALONE
  } catch (error) {
    return policyError('shouldCache', error)
  }
  try {
    tags = tagsOf(publication.tags ?? policy.tags, value)
  } catch (error) {
    return policyError('tags', error)
  }
  try {
    times = timesOf(policy, value, instance.session.now(), publication.cost)
  } catch (error) {
    return policyError(error instanceof NegativeError ? 'isNegative' : 'ttl', error)
  }
  const { maxTags } = instance.settings
  if (tags.length > maxTags) {
    report(instance, publication, `${tags.length} tags are more than maxTags (${maxTags})`, '')
    return ALONE
  }
  const codec = codecFor(value, policy.codec)
  if ('reason' in codec) {
    report(instance, publication, codec.reason, codec.path)
    return ALONE
  }
  return encode(instance, publication, codec, times, tags)
}

/** How a flight ends with an error that is stored: `undefined` where it is not to be. */
export function errorOfferOf(
  instance: Instance,
  publication: Omit<Publication, 'value' | 'cost'>,
  error: unknown,
  bytes: Bytes,
): Offer | undefined {
  const { id, policy, token } = publication
  let ttl: number
  try {
    ttl = typeof policy.errorTtl === 'function' ? notAsync('errorTtl', policy.errorTtl(error)) : policy.errorTtl
    if (typeof ttl !== 'number' || Number.isNaN(ttl)) throw new TypeError(`errorTtl returned ${String(ttl)}`)
  } catch (thrown) {
    instance.events.emit({ type: 'policyError', key: id, option: 'errorTtl', error: thrown })
    return undefined
  }
  if (ttl <= 0) return undefined
  // Tags that a function makes of a value nobody knows of an error.
  const said = publication.tags ?? policy.tags
  const tags = typeof said === 'function' ? [] : said
  if (tags.length > instance.settings.maxTags || isOneTooMany(instance, publication)) return undefined
  const times = { ...NO_WINDOWS, createdAt: instance.session.now(), ttl: jittered(ttl, policy) }
  const entry = encodeEntry({ ...times, stamp: token, codec: ERROR_CODEC, tags }, bytes)
  return { ending: { type: 'value', entry, ttl: times.ttl }, tags: tagIds(tags) }
}

/**
 * For how long a value is of use.
 *
 * @param now by the store's clock
 * @param cost ms that it took to compute
 * @throws what a function of the policy throws, and TypeError for what it must not return
 */
export function timesOf(policy: Policy, value: unknown, now: number, cost: number): Times {
  const { negativeTtl, staleWhileRevalidate, staleIfError, beta } = policy
  if (negativeTtl !== undefined && isNegative(policy, value)) {
    return { ...NO_WINDOWS, createdAt: now, ttl: jittered(negativeTtl, policy) }
  }
  const ttl = (typeof policy.ttl === 'function' ? notAsync('ttl', policy.ttl(value)) : policy.ttl) as number
  if (typeof ttl !== 'number' || Number.isNaN(ttl)) throw new TypeError(`ttl returned ${String(ttl)}, not a number`)
  const own = jittered(ttl, policy)
  if (policy.neverStale?.(value)) return { ...NO_WINDOWS, createdAt: now, ttl: own }
  return { createdAt: now, ttl: own, staleWhileRevalidate, staleIfError, cost, beta }
}

function isNegative(policy: Policy, value: unknown): boolean {
  try {
    return notAsync('isNegative', policy.isNegative(value))
  } catch (error) {
    throw new NegativeError(messageOf(error), { cause: error })
  }
}

/** `isNegative` failed. */
class NegativeError extends Error {}

/** What was made together must not end together. */
function jittered(ttl: number, { jitter }: Policy): number {
  return jitter === 0 ? ttl : ttl * (1 - jitter * Math.random())
}

/** The tags of a value, as its publisher says them. @throws TypeError for what can't be tags */
export function tagsOf(tags: TagsOption, value: unknown): readonly string[] {
  if (typeof tags !== 'function') return tags
  const said: unknown = notAsync('tags', tags(value))
  checkTags(said)
  return said
}

/** Neither value nor error may be shared. */
const ALONE: Offer = Object.freeze({ ending: Object.freeze({ type: 'alone' as const }), tags: [] })

/** @throws TypeError for what a codec must not return */
export function payloadOf(codec: Codec, encoded: unknown): Bytes {
  if (encoded instanceof Uint8Array) return encoded
  throw new TypeError(`the codec '${codec.id}' must encode to a Uint8Array, got ${typeof encoded}`)
}

/** The codec that restores the value faithfully, or why none does. */
export function codecFor(value: unknown, own: Codec | undefined): Codec | (Fit & { type: 'unfit' }) {
  if (own !== undefined) return own
  const fit = fitOf(value)
  return fit.type === 'unfit' ? fit : fit.type === 'plain' ? json : rich
}

function encode(
  instance: Instance,
  publication: Publication,
  codec: Codec,
  times: Times,
  tags: readonly string[],
): Offer | Promise<Offer> {
  const failed = (error: unknown): Offer => {
    report(instance, publication, `the codec '${codec.id}' can't write it: ${messageOf(error)}`, '')
    return ALONE
  }
  const offer = (ending: Ending): Offer => ({ ending, tags: tagIds(tags), times })
  const encoded = (bytes: unknown): Offer => {
    const payload = payloadOf(codec, bytes)
    const { token: stamp } = publication
    // Not by a spread: one of numbers to which more is added takes V8 as long as all the rest of the header.
    const { createdAt, staleWhileRevalidate, staleIfError, cost, beta } = times
    const ttl = Math.max(times.ttl, 0)
    const header = { stamp, codec: codec.id, createdAt, ttl, staleWhileRevalidate, staleIfError, cost, beta, tags }
    const entry = encodeEntry(header, payload)
    if (times.ttl <= 0) return offer({ type: 'share', entry })
    const { maxEntryBytes } = instance.settings
    if (entry.byteLength > maxEntryBytes) {
      report(instance, publication, `${entry.byteLength} bytes are more than maxEntryBytes (${maxEntryBytes})`, '')
      return offer({ type: 'share', entry })
    }
    return offer(
      isOneTooMany(instance, publication) ? { type: 'share', entry } : { type: 'value', entry, ttl: lifeOf(times) },
    )
  }
  try {
    const payload = codec.encode(publication.value)
    return payload instanceof Promise ? payload.then(encoded).catch(failed) : encoded(payload)
  } catch (error) {
    return failed(error)
  }
}

/** Whether clients have made too many keys; where not, this one is counted. */
function isOneTooMany(instance: Instance, { id, key, shape, asker }: Omit<Publication, 'value' | 'cost'>): boolean {
  const tooMany = asker && instance.newKeys.refuse(id, asker)
  if (tooMany === undefined) return false
  instance.events.emit({ type: 'tooManyKeys', key: id, shape: shape ?? keyShape(key), ...tooMany })
  return true
}

function report(instance: Instance, publication: Publication, reason: string, path: string): void {
  const shape = publication.shape ?? keyShape(publication.key)
  if (instance.reported(shape)) return
  instance.events.emit({ type: 'uncacheable', key: publication.id, shape, reason, path })
}
