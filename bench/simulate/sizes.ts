import { TOKEN_LENGTH } from '../../src/core/entry.ts'
import { namesOf } from '../../src/stores/redis/keys.ts'

/** How many bytes commands, replies and messages have on the wire (RESP 3), by the names and values that are in them. */

/** Text, or how many bytes it has. */
type Part = string | number

const SHA = 40
const CLOCK = 16
const SECONDS = 10
const MICROSECONDS = 6
/** Of a lease below ten seconds, which is a number of so many digits. */
const LEASE = 4
/** The header of an entry without tags, and the name of its codec, `json`: see entry.ts. */
const ENTRY_HEADER = 65 + 'json'.length
/** What a script with nothing to store is told of the ttl. */
const TTL = 6

export interface Sizes {
  /** Of an entry with this value. */
  entry(valueBytes: number): number
  read(ids: readonly string[]): number
  /** Of what was read: undefined for what is not there. */
  found(entries: readonly (number | undefined)[]): number
  claim(ids: readonly string[]): number
  led(): number
  waits(): number
  hit(): number
  clock(): number
  clockReply(): number
  renew(id: string): number
  renewed(waiters: number): number
  /** `entry`: bytes of what is stored, or undefined where the flight is given back. */
  end(endings: readonly { readonly id: string; readonly entry: number | undefined }[]): number
  ended(ids: number): number
  /** What is published to one inbox. */
  message(id: string, body: number): number
  /** The same as the subscriber gets it. */
  pushed(message: number): number
  /** Of the channel of one inbox. */
  readonly channel: number
  /** A message to oneself: the command, and its reply with what is heard. */
  probe(): { readonly sent: number; readonly heard: number }
  /** Of caches that do not coordinate by scripts. */
  set(id: string, valueBytes: number): number
  lock(id: string): number
  unlock(id: string): number
}

/** Replies that are one integer or one word. */
export const OK = '+OK\r\n'.length
export const NIL = '_\r\n'.length
export const ONE = ':1\r\n'.length

/** @param clustered the clock of tags is no key of the scripts, and the limit of messages is another one */
export function sizesOf(namespace: string, clustered: boolean, inlineLimit: number): Sizes {
  const names = namesOf(namespace)
  const keysOf = (id: string) => [names.entry(id), names.flight(id)]
  const clockKey = clustered ? [] : [names.clock]
  const script = (keys: readonly Part[], args: readonly Part[]) =>
    list(['evalsha', SHA, String(keys.length), ...keys, ...args])
  const message = (id: string, body: number) => {
    const idBytes = Buffer.byteLength(id)
    return 1 + TOKEN_LENGTH + String(idBytes).length + 1 + idBytes + body
  }
  const channel = Buffer.byteLength(names.inbox('')) + TOKEN_LENGTH
  return {
    channel,
    message,
    entry: (valueBytes) => ENTRY_HEADER + valueBytes,
    read: (ids) => list([ids.length === 1 ? 'get' : 'mget', ...ids.map(names.entry)]),
    found: (entries) =>
      (entries.length === 1 ? 0 : head(entries.length)) +
      entries.reduce<number>((sum, bytes) => sum + (bytes === undefined ? NIL : bulk(bytes)), 0),
    claim: (ids) =>
      script([...ids.flatMap(keysOf), ...clockKey], [TOKEN_LENGTH, ...ids.flatMap(() => [TOKEN_LENGTH, LEASE, '-'])]),
    led: () => list(['LEAD', '-', SECONDS, MICROSECONDS, clustered ? '' : CLOCK]),
    waits: () => list(['WAIT', TOKEN_LENGTH, LEASE, '-', '']),
    hit: () => list(['HIT']),
    clock: () => script([names.clock], ['0']),
    clockReply: () => bulk(CLOCK),
    renew: (id) => script([names.flight(id)], [TOKEN_LENGTH, LEASE, '', names.inbox(''), id]),
    renewed: (waiters) => list([String(waiters)]),
    end: (endings) =>
      script(
        endings.flatMap(({ id }) => keysOf(id)),
        [
          names.inbox(''),
          String(inlineLimit),
          ...endings.flatMap(({ id, entry }) =>
            entry === undefined ? [TOKEN_LENGTH, id, 'A', '', '', ''] : [TOKEN_LENGTH, id, 'V', entry, 'set', TTL],
          ),
        ],
      ),
    ended: (ids) => head(ids) + ids * list(['OK', '1', '', TOKEN_LENGTH, 'V']),
    pushed: (bytes) => list(['message', channel, bytes]),
    probe: () => ({ sent: list(['publish', channel, 'P']), heard: ONE + list(['message', channel, 'P']) }),
    set: (id, valueBytes) => list(['set', names.entry(id), valueBytes, 'PX', TTL]),
    lock: (id) => list(['set', names.flight(id), TOKEN_LENGTH, 'PX', LEASE, 'NX']),
    unlock: (id) => list(['del', names.flight(id)]),
  }
}

/** A list of strings; a push has as many bytes. */
export function list(parts: readonly Part[]): number {
  return parts.reduce<number>((sum, part) => sum + bulk(part), head(parts.length))
}

export function head(count: number): number {
  return 1 + String(count).length + 2
}

function bulk(part: Part): number {
  const bytes = typeof part === 'string' ? Buffer.byteLength(part) : part
  return head(bytes) + bytes + 2
}
