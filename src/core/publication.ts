import { type Bytes, type Codec, json, rich } from './codec.ts'
import { encodeEntry } from './entry.ts'
import { messageOf } from './errors.ts'
import { type Fit, fitOf } from './fit.ts'
import type { Instance } from './instance.ts'
import { type Key, keyShape } from './key.ts'
import { notAsync, type Policy } from './options.ts'
import type { Ending } from './store.ts'

/** What is to become an entry. */
export interface Publication {
  readonly id: string
  readonly key: Key
  /** The stamp of the entry. */
  readonly token: string
  readonly value: unknown
  readonly policy: Policy
}

/** How a flight ends with this value: stored, only shared, or neither. A promise only where the codec makes one. */
export function endingOf(instance: Instance, publication: Publication): Ending | Promise<Ending> {
  const { id, value, policy } = publication
  const policyError = (option: string, error: unknown): Ending => {
    instance.events.emit({ type: 'policyError', key: id, option, error })
    return { type: 'alone' }
  }
  let ttl: number
  try {
    const { shouldCache } = policy
    if (!(typeof shouldCache === 'function' ? notAsync(shouldCache(value)) : shouldCache)) return { type: 'alone' }
  } catch (error) {
    return policyError('shouldCache', error)
  }
  try {
    ttl = (typeof policy.ttl === 'function' ? notAsync(policy.ttl(value)) : policy.ttl) as number
    if (typeof ttl !== 'number' || Number.isNaN(ttl)) throw new TypeError(`ttl returned ${String(ttl)}, not a number`)
  } catch (error) {
    return policyError('ttl', error)
  }
  const codec = codecFor(value, policy.codec)
  if ('reason' in codec) {
    report(instance, publication, codec.reason, codec.path)
    return { type: 'alone' }
  }
  return encode(instance, publication, codec, ttl)
}

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

function encode(instance: Instance, publication: Publication, codec: Codec, ttl: number): Ending | Promise<Ending> {
  const failed = (error: unknown): Ending => {
    report(instance, publication, `the codec '${codec.id}' can't write it: ${messageOf(error)}`, '')
    return { type: 'alone' }
  }
  const ended = (encoded: unknown): Ending => {
    const payload = payloadOf(codec, encoded)
    const { token: stamp } = publication
    const header = { stamp, codec: codec.id, createdAt: instance.session.now(), ttl: Math.max(ttl, 0), tags: [] }
    const entry = encodeEntry(header, payload)
    if (ttl <= 0) return { type: 'share', entry }
    const { maxEntryBytes } = instance.settings
    if (entry.byteLength <= maxEntryBytes) return { type: 'value', entry, ttl }
    report(instance, publication, `${entry.byteLength} bytes are more than maxEntryBytes (${maxEntryBytes})`, '')
    return { type: 'share', entry }
  }
  try {
    const payload = codec.encode(publication.value)
    return payload instanceof Promise ? payload.then(ended).catch(failed) : ended(payload)
  } catch (error) {
    return failed(error)
  }
}

function report(instance: Instance, publication: Publication, reason: string, path: string): void {
  const shape = keyShape(publication.key)
  if (instance.reported(shape)) return
  instance.events.emit({ type: 'uncacheable', key: publication.id, shape, reason, path })
}
