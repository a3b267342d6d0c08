import type { Bytes } from './codec.ts'
import { encodeEntry } from './entry.ts'
import { UnconfirmedError } from './errors.ts'
import { type Instance, newToken } from './instance.ts'
import { type Key, keyId } from './key.ts'
import type { Policy } from './options.ts'
import { codecFor, payloadOf } from './publication.ts'

/** What the writes of a cache need of it besides the instance. */
export interface Writer {
  readonly instance: Instance
  /** Whoever asks for these from now on must not get what was begun before. */
  detach(ids: readonly string[]): void
}

/** So many commands are under way at once: each must be answered within its budget. */
const AT_ONCE = 100
/** So many ids are named in one message. */
const ANNOUNCED_AT_ONCE = 1000

/**
 * Stores the values, whatever flights there are, and tells all instances.
 *
 * @throws TypeError or RangeError for a value that can't be stored; nothing is written then
 * @throws UnconfirmedError for those that the store did not confirm, after all were tried
 */
export async function write(
  writer: Writer,
  pairs: readonly (readonly [key: Key, value: unknown])[],
  policy: Policy,
): Promise<void> {
  const { instance } = writer
  const { version } = instance.settings
  if (pairs.length === 0) return
  const writes = await Promise.all(
    pairs.map(async ([key, value]) => ({ id: keyId(key, version), ...(await entryFor(instance, value, policy)) })),
  )
  const ids = writes.map(({ id }) => id)
  await change(writer, 'set', ids, (i) => {
    const { id, entry, ttl } = writes[i] as (typeof writes)[number]
    return instance.session.set(id, entry, ttl)
  })
  for (const id of ids) instance.events.emit({ type: 'set', key: id })
}

/**
 * Removes the entries, ends the flights, and tells all instances.
 *
 * @throws UnconfirmedError for those that the store did not confirm, after all were tried
 */
export async function invalidateKeys(writer: Writer, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await change(writer, 'invalidate', ids, (i) => writer.instance.session.remove(ids[i] as string))
  writer.instance.events.emit({ type: 'invalidate', keys: ids, remote: false })
}

async function change(
  writer: Writer,
  op: 'set' | 'invalidate',
  ids: readonly string[],
  send: (index: number) => Promise<void>,
): Promise<void> {
  const { instance } = writer
  const { commandTimeout: timeout } = instance.settings
  // A calls invalidate (detached here); B of this instance starts a flight, whose read is served before the removal;
  // the reply comes; C asks: without the second detach C would join B and get what was removed.
  writer.detach(ids)
  const failed: string[] = []
  let cause: unknown
  for (let start = 0; start < ids.length; start += AT_ONCE) {
    const part = ids.slice(start, start + AT_ONCE)
    const sent = part.map((key, i) => instance.breaker.run({ op, key, timeout, always: true }, () => send(start + i)))
    for (const [i, result] of (await Promise.allSettled(sent)).entries()) {
      if (result.status === 'fulfilled') continue
      cause ??= result.reason
      failed.push(part[i] as string)
    }
  }
  writer.detach(ids)
  try {
    // After the last removal: whoever hears it earlier could read again what is not removed yet.
    for (let start = 0; start < ids.length; start += ANNOUNCED_AT_ONCE) {
      const notice = { from: instance.instanceId, ids: ids.slice(start, start + ANNOUNCED_AT_ONCE) }
      await instance.breaker.run({ op: 'announce', timeout, always: true }, () => instance.session.announce(notice))
    }
  } catch (error) {
    throw new UnconfirmedError(op, ids, cause ?? error)
  }
  if (failed.length > 0) throw new UnconfirmedError(op, failed, cause)
}

async function entryFor(
  instance: Instance,
  value: unknown,
  policy: Policy,
): Promise<{ readonly entry: Bytes; readonly ttl: number }> {
  const ttl = typeof policy.ttl === 'function' ? policy.ttl(value) : policy.ttl
  if (!(typeof ttl === 'number' && ttl > 0)) {
    throw new RangeError(`set needs a ttl greater than 0 (ms), got ${String(ttl)}: say it at createCache or here`)
  }
  const codec = codecFor(value, policy.codec)
  if ('reason' in codec) {
    throw new TypeError(`the value can't be stored: ${codec.reason}${codec.path === '' ? '' : ` at ${codec.path}`}`)
  }
  const header = { stamp: newToken(), codec: codec.id, createdAt: instance.session.now(), ttl, tags: [] }
  const entry = encodeEntry(header, payloadOf(codec, await codec.encode(value)))
  const { maxEntryBytes } = instance.settings
  if (entry.byteLength > maxEntryBytes) {
    throw new RangeError(
      `the value can't be stored: ${entry.byteLength} bytes are more than maxEntryBytes (${maxEntryBytes})`,
    )
  }
  return { entry, ttl }
}
