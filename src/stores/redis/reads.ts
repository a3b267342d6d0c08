import { inParts } from '../../core/parts.ts'
import type { Link, Session } from '../../core/store.ts'
import { batched } from './batch.ts'
import { gatherReplies, PATIENCE_SHARE } from './gather.ts'
import { inTimeEach } from './inTime.ts'
import type { Names } from './keys.ts'
import type { Wiring } from './wiring.ts'

/** Keys that are read by one command. */
const KEYS_AT_ONCE = 1000
/**
 * Bytes of a reply, by the values that were read before: where it is larger, less is saved by one command for all than is lost
 * because nobody has his value before all have come.
 */
const BYTES_AT_ONCE = 262_144
/** The part of a new value in what is taken for usual. */
const NEW_SHARE = 1 / 16
/** The part of the command budget that one key of many may take to be read in a cluster. */
const READ_SHARE = 0.9

export function readSteps(
  { client, clustered, send, serverName }: Wiring,
  names: Names,
  { commandTimeout, tell }: Link,
): Pick<Session, 'read' | 'readMany'> {
  const gather = gatherReplies(commandTimeout * PATIENCE_SHARE)
  const fault = (error: unknown) => tell({ type: 'fault', error })
  /** Bytes of a value, as they were lately. */
  let usual = 0

  function bytesOf(reply: Buffer | null): Buffer | undefined {
    if (reply === null) return undefined
    usual += (reply.length - usual) * NEW_SHARE
    return reply
  }

  /** What a key is likely to add to a reply. */
  const weigh = () => Math.max(usual, BYTES_AT_ONCE / KEYS_AT_ONCE)
  const get = (key: string) => send(() => client.getBuffer(key))
  const getAll = async (keys: readonly string[]) => (await send(() => client.mgetBuffer([...keys]))).map(bytesOf)
  const read = clustered
    ? async (key: string) => bytesOf(await gather(serverName(key), get(key))) // the keys of a cluster are on many nodes
    : batched<string, Buffer | undefined>({ most: BYTES_AT_ONCE, weigh, defer: process.nextTick }, async (keys) =>
        keys.length === 1 ? [bytesOf(await get(keys[0] as string))] : getAll(keys),
      )

  return {
    read: (id) => read(names.entry(id)),

    async readMany(ids) {
      const atOnce = clustered ? 1 : Math.max(1, Math.floor(BYTES_AT_ONCE / weigh()))
      const parts = inParts(ids.map(names.entry), atOnce)
      const replies = parts.map(getAll)
      const all = await (clustered ? inTimeEach(replies, commandTimeout * READ_SHARE, fault) : Promise.all(replies))
      return all.flatMap((values) => values ?? [undefined])
    },
  }
}
