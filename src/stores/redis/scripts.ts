import type { Cluster, Redis } from 'ioredis'
import type { Bytes } from '../../core/codec.ts'
import { CLAIM, END, REMOVE, RENEW, TAKE } from './flightScripts.ts'
import { ENTER, LEAVE } from './placeScripts.ts'
import { CLOCK, INDEX, MARK, SWEEP } from './tagScripts.ts'

/** What an `end` is to do; `''` where there is nothing. */
export interface EndArguments {
  readonly token: string
  readonly id: string
  readonly letter: string
  readonly body: Bytes | ''
  readonly write: 'set' | 'del' | ''
  readonly px: string
}

export interface ClaimArguments {
  readonly token: string
  readonly lease: string
  readonly seen: string | Buffer
}

export interface IndexArguments {
  readonly id: string
  readonly life: string
  /** How many tags it has: as many pairs of keys are its own. */
  readonly tags: number
}

export interface EnterArguments {
  readonly ticket: string
  readonly places: number
  readonly lease: string
}

/** The scripts, by what they take. Keys stand first; replies are byte strings. */
export interface Scripts {
  claim(keys: readonly string[], instanceId: string, claims: readonly ClaimArguments[]): Promise<Buffer[][]>
  renew(
    flight: string,
    token: string,
    lease: string,
    queued: boolean,
    inboxPrefix: string,
    id: string,
  ): Promise<Buffer[]>
  end(
    keys: readonly string[],
    inboxPrefix: string,
    inlineLimit: number,
    endings: readonly EndArguments[],
  ): Promise<Buffer[][]>
  take(keys: readonly string[], token: string, lease: string, id: string, inboxPrefix: string): Promise<Buffer[]>
  remove(keys: readonly string[], inboxPrefix: string, ids: readonly string[]): Promise<Buffer[]>
  enter(
    keys: readonly string[],
    inboxPrefix: string,
    group: string,
    instanceId: string,
    tickets: readonly EnterArguments[],
  ): Promise<Buffer[][]>
  leave(
    keys: readonly string[],
    inboxPrefix: string,
    group: string,
    instanceId: string,
    tickets: readonly Omit<EnterArguments, 'lease'>[],
  ): Promise<Buffer[]>
  /** The clock of tags, `steps` further. */
  clock(key: string, steps: 0 | 1): Promise<Buffer>
  index(keys: readonly string[], entries: readonly IndexArguments[]): Promise<[epoch: Buffer, message: Buffer][]>
  mark(state: string, clock: string, life: string): Promise<unknown>
  sweep(index: string, state: string, clock: string): Promise<unknown>
}

type Argument = string | Buffer | number
type Command = (...args: Argument[]) => Promise<unknown>

const SCRIPTS = {
  Claim: CLAIM,
  Renew: RENEW,
  End: END,
  Take: TAKE,
  Remove: REMOVE,
  Enter: ENTER,
  Leave: LEAVE,
  Clock: CLOCK,
  Index: INDEX,
  Mark: MARK,
  Sweep: SWEEP,
}

/**
 * ioredis sends a script as EVALSHA, and as EVAL on a socket that is new or was told NOSCRIPT. A server that forgets its
 * scripts again meanwhile is sent EVAL by us: what was answered with NOSCRIPT did not run.
 */
export function scriptsOf(client: Redis | Cluster): Scripts {
  for (const [name, lua] of Object.entries(SCRIPTS)) client.defineCommand(`atomcache${name}`, { lua })
  const commands = client as unknown as Record<string, Command>
  async function call<T>(name: keyof typeof SCRIPTS, keys: readonly (string | undefined)[], ...args: Argument[]) {
    const declared = keys.filter((key) => key !== undefined)
    const given = [declared.length, ...declared, ...args]
    try {
      return (await commands[`atomcache${name}Buffer`]?.(...given)) as T
    } catch (error) {
      if (!String(error).includes('NOSCRIPT')) throw error
      return (await commands.evalBuffer?.(SCRIPTS[name], ...given)) as T
    }
  }
  return {
    claim: (keys, instanceId, claims) =>
      call('Claim', keys, instanceId, ...claims.flatMap(({ token, lease, seen }) => [token, lease, seen])),
    renew: (flight, token, lease, queued, inboxPrefix, id) =>
      call('Renew', [flight], token, lease, queued ? 'queued' : '', inboxPrefix, id),
    end(keys, inboxPrefix, inlineLimit, endings) {
      const each = endings.flatMap(({ token, id, letter, body, write, px }) => {
        return [token, id, letter, asBuffer(body), write, px]
      })
      return call('End', keys, inboxPrefix, inlineLimit, ...each)
    },
    take: (keys, token, lease, id, inboxPrefix) => call('Take', keys, token, lease, id, inboxPrefix),
    remove: (keys, inboxPrefix, ids) => call('Remove', keys, inboxPrefix, ...ids),
    enter(keys, inboxPrefix, group, instanceId, tickets) {
      const each = tickets.flatMap(({ ticket, places, lease }) => [ticket, places, lease])
      return call('Enter', keys, inboxPrefix, group, instanceId, ...each)
    },
    leave(keys, inboxPrefix, group, instanceId, tickets) {
      const each = tickets.flatMap(({ ticket, places }) => [ticket, places])
      return call('Leave', keys, inboxPrefix, group, instanceId, ...each)
    },
    clock: (key, steps) => call('Clock', [key], steps),
    index: (keys, entries) => call('Index', keys, ...entries.flatMap(({ id, life, tags }) => [id, life, tags])),
    mark: (state, clock, life) => call('Mark', [state], clock, life),
    sweep: (index, state, clock) => call('Sweep', [index, state], clock),
  }
}

/** ioredis takes Buffers; any other Uint8Array it would write as text. */
function asBuffer(body: Bytes | ''): Buffer | '' {
  if (body === '' || Buffer.isBuffer(body)) return body
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}
