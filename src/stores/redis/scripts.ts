import type { Redis } from 'ioredis'
import type { Bytes } from '../../core/codec.ts'
import { MARK_BYTES } from '../../core/entry.ts'
import { ALONE, READY, VALUE } from './messages.ts'

/**
 * The steps of the protocol that must be atomic. Redis 6.2 commands only; every key is declared; integers travel as
 * strings. A flight is a hash: `leader` is the leader's token, `w:<instanceId>` stands for each instance that waits.
 */

/**
 * Decides whether the claimer has a hit, leads, or waits; who must wait is registered in the same step.
 *
 * KEYS  1 entry, 2 flight
 * ARGV  1 token, 2 lease (ms), 3 instanceId, 4 seen: `-` nothing, `*` whatever it is, `=` and a mark
 * Returns {HIT} | {LEAD, present, seconds, microseconds} | {WAIT, leader, lease left (ms), present}; present as seen
 */
const CLAIM = `
local mark = redis.call('GETRANGE', KEYS[1], 0, ${MARK_BYTES - 1})
local present = '-'
if mark ~= '' or redis.call('EXISTS', KEYS[1]) == 1 then present = '=' .. mark end
if present ~= '-' and ARGV[4] ~= '*' and ARGV[4] ~= present then return {'HIT'} end

local leader = redis.call('HGET', KEYS[2], 'leader')
if leader and leader ~= ARGV[1] then
  -- Where memory is full Redis refuses HSET, but not to a script that has written before: so it begins with an HDEL.
  redis.call('HDEL', KEYS[2], 'w:' .. ARGV[3])
  redis.call('HSET', KEYS[2], 'w:' .. ARGV[3], '')
  local left = redis.call('PTTL', KEYS[2])
  if left < 0 then
    -- Somebody took its expiry away: a flight for ever would be a key that nobody computes again.
    redis.call('PEXPIRE', KEYS[2], ARGV[2])
    left = tonumber(ARGV[2])
  end
  return {'WAIT', leader, tostring(left), present}
end

-- Before anything is written: where TIME is not allowed no flight without a leader must be left.
local time = redis.call('TIME')
if not leader then
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[2], 'leader', ARGV[1])
end
-- A flight with this very token: the command ran before.
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return {'LEAD', present, time[1], time[2]}
`

/**
 * Sets the lease anew, if the flight is still this token's.
 *
 * KEYS  1 flight
 * ARGV  1 token, 2 lease (ms)
 * Returns how many instances wait, or -1: the flight is gone or another's
 */
const RENEW = `
if redis.call('HGET', KEYS[1], 'leader') ~= ARGV[1] then return '-1' end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return tostring(redis.call('HLEN', KEYS[1]) - 1)
`

/**
 * Ends a flight: the leader's own, or (without a token) whichever there is, by a direct write or an invalidation.
 *
 * KEYS  1 entry, 2 flight
 * ARGV  1 token or '', 2 id, 3 prefix of the inbox channels, 4 outcome letter, 5 body: entry, error or '',
 *       6 'set', 'del' or '' for the entry, 7 its ttl (ms) or '' for none, 8 bytes that bodies of messages may have in all
 * Returns {FENCED} | {OK, stored, why not, leader, letter as told, waiters that PUBLISH could not reach ...}
 */
const END = `
local leader = redis.pcall('HGET', KEYS[2], 'leader')
if type(leader) == 'table' then leader = false end -- a key of another type: left alone
if ARGV[1] ~= '' and leader ~= ARGV[1] then
  -- Its own stamp on the entry: the command ran before, and only its reply was lost.
  if redis.pcall('GETRANGE', KEYS[1], 0, ${MARK_BYTES - 1}) == 'atc1' .. ARGV[1] then return {'OK', '1', '', '', ''} end
  return {'FENCED'}
end

-- First the entry, then the flight, then the messages; Lua has no rollback, so what may be refused is a pcall, and the
-- rest is done all the same. SET stands before DEL: after a write Redis would let it pass its memory limit.
local stored, refused = '0', ''
local kind = redis.call('TYPE', KEYS[1]).ok
if ARGV[6] == 'set' then
  local reply
  if kind ~= 'string' and kind ~= 'none' then
    reply = {err = 'WRONGTYPE the key holds a ' .. kind}
  elseif ARGV[7] == '' then
    reply = redis.pcall('SET', KEYS[1], ARGV[5])
  else
    reply = redis.pcall('SET', KEYS[1], ARGV[5], 'PX', ARGV[7])
  end
  if reply.err then refused = reply.err else stored = '1' end
  if refused ~= '' and ARGV[1] == '' then return redis.error_reply(refused) end
elseif ARGV[6] == 'del' and kind == 'string' then
  redis.call('DEL', KEYS[1])
end

local result = {'OK', stored, refused, leader or '', ARGV[4]}
if not leader then return result end
local waiters = {}
for _, field in ipairs(redis.call('HKEYS', KEYS[2])) do
  if string.sub(field, 1, 2) == 'w:' then waiters[#waiters + 1] = string.sub(field, 3) end
end
redis.call('DEL', KEYS[2])
if #waiters == 0 then return result end

local letter, body = ARGV[4], ARGV[5]
if letter == '${VALUE}' and #body * #waiters > tonumber(ARGV[8]) then
  body = ''
  if stored == '1' then letter = '${READY}' else letter = '${ALONE}' end
end
result[5] = letter
-- The token that was found, never the sender's own: those who wait know the flight by it.
local message = letter .. leader .. #ARGV[2] .. ':' .. ARGV[2] .. body
for _, waiter in ipairs(waiters) do
  local reply = redis.pcall('PUBLISH', ARGV[3] .. waiter, message)
  if type(reply) == 'table' then result[#result + 1] = waiter end
end
return result
`

/** What an `end` is to do; `''` where there is nothing. */
export interface EndArguments {
  readonly token: string
  readonly id: string
  readonly inboxPrefix: string
  readonly letter: string
  readonly body: Bytes | ''
  readonly write: 'set' | 'del' | ''
  readonly px: string
  readonly inlineLimit: number
}

/** The scripts, by what they take. Replies are byte strings. */
export interface Scripts {
  claim(
    entry: string,
    flight: string,
    token: string,
    lease: string,
    instanceId: string,
    seen: Buffer,
  ): Promise<Buffer[]>
  renew(flight: string, token: string, lease: string): Promise<Buffer>
  end(entry: string, flight: string, args: EndArguments): Promise<Buffer[]>
}

type Command = (...args: (string | Buffer | number)[]) => Promise<unknown>

/** ioredis sends a script as EVALSHA, and as EVAL where the server does not know it. */
export function scriptsOf(client: Redis): Scripts {
  client.defineCommand('atomcacheClaim', { numberOfKeys: 2, lua: CLAIM })
  client.defineCommand('atomcacheRenew', { numberOfKeys: 1, lua: RENEW })
  client.defineCommand('atomcacheEnd', { numberOfKeys: 2, lua: END })
  const commands = client as unknown as Record<string, Command>
  const call = <T>(name: string, ...args: Parameters<Command>) => commands[`${name}Buffer`]?.(...args) as Promise<T>
  return {
    claim: (entry, flight, token, lease, instanceId, seen) =>
      call('atomcacheClaim', entry, flight, token, lease, instanceId, seen),
    renew: (flight, token, lease) => call('atomcacheRenew', flight, token, lease),
    end: (entry, flight, { token, id, inboxPrefix, letter, body, write, px, inlineLimit }) =>
      call('atomcacheEnd', entry, flight, token, id, inboxPrefix, letter, asBuffer(body), write, px, inlineLimit),
  }
}

/** ioredis takes Buffers; any other Uint8Array it would write as text. */
function asBuffer(body: Bytes | ''): Buffer | '' {
  if (body === '' || Buffer.isBuffer(body)) return body
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}
