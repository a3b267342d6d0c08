import { MARK_BYTES } from '../../core/entry.ts'
import { AGAIN, ALONE, QUEUED, READY, VALUE } from './messages.ts'
import { FOREIGN, IS_FOREIGN, MESSAGE_OF, READ_CLOCK } from './tagScripts.ts'

/**
 * The steps over entries and flights that must be atomic. Redis 6.2 commands only; every key is declared; integers travel as
 * strings. A flight is a hash: `leader` is the leader's token, `w:<instanceId>` stands for each instance that waits, and
 * `queued` is there while the leader waits for a place in its group.
 */

/**
 * Decides for each id whether the claimer has a hit, leads, or waits; who must wait is registered in the same step. One that
 * fails leaves the others as they are.
 *
 * KEYS  entry and flight of each id; then the clock of tags, where it is on the same server
 * ARGV  1 instanceId; then for each id: token, lease (ms), seen: `-` nothing, `*` whatever it is, `=` and a mark
 * Returns for each id {HIT} | {LEAD, present, seconds, microseconds, clock or ''} | {WAIT, leader, lease left (ms), present,
 * queued or ''} | {ERROR, message}; present as seen
 */
export const CLAIM = `${READ_CLOCK}${MESSAGE_OF}
local clock
local function clockOnce(time)
  if #KEYS % 2 == 0 then return '' end
  clock = clock or readClock(KEYS[#KEYS], time, 0) or ''
  return clock
end

local function claim(entry, flight, token, lease, seen)
  local mark = redis.call('GETRANGE', entry, 0, ${MARK_BYTES - 1})
  local present = '-'
  if mark ~= '' or redis.call('EXISTS', entry) == 1 then present = '=' .. mark end
  if present ~= '-' and seen ~= '*' and seen ~= present then return {'HIT'} end

  local leader = redis.call('HGET', flight, 'leader')
  if leader and leader ~= token then
    -- Where memory is full Redis refuses HSET, but not to a script that has written before: so it begins with an HDEL.
    redis.call('HDEL', flight, 'w:' .. ARGV[1])
    redis.call('HSET', flight, 'w:' .. ARGV[1], '')
    local left = redis.call('PTTL', flight)
    if left < 0 then
      -- Somebody took its expiry away: a flight for ever would be a key that nobody computes again.
      redis.call('PEXPIRE', flight, lease)
      left = tonumber(lease)
    end
    return {'WAIT', leader, tostring(left), present, redis.call('HGET', flight, 'queued') or ''}
  end

  -- Before anything is written: where TIME is not allowed no flight without a leader must be left.
  local time = redis.call('TIME')
  if not leader then
    redis.call('DEL', flight)
    redis.call('HSET', flight, 'leader', token)
  end
  -- A flight with this very token: the command ran before.
  redis.call('PEXPIRE', flight, lease)
  return {'LEAD', present, time[1], time[2], clockOnce(time)}
end

local replies = {}
for i = 1, (#ARGV - 1) / 3 do
  local ran, reply = pcall(claim, KEYS[2 * i - 1], KEYS[2 * i], ARGV[3 * i - 1], ARGV[3 * i], ARGV[3 * i + 1])
  replies[i] = ran and reply or {'ERROR', messageOf(reply)}
end
return replies
`

/** Lua functions over a flight, its waiters, and the messages to them. */
export const TELL = `
-- Nil where there is none, or a key of another type, which is left alone.
local function leaderOf(flight)
  local leader = redis.pcall('HGET', flight, 'leader')
  if type(leader) == 'string' then return leader end
end

local function waitersOf(flight)
  local waiters = {}
  for _, field in ipairs(redis.call('HKEYS', flight)) do
    if string.sub(field, 1, 2) == 'w:' then waiters[#waiters + 1] = string.sub(field, 3) end
  end
  return waiters
end

-- The token is the one that was found, never the sender's own: those who wait know the flight by it. Who could not be
-- published to is returned: the client does it.
local function tell(waiters, prefix, letter, token, id, body)
  local message = letter .. token .. #id .. ':' .. id .. body
  local unreached = {}
  for _, waiter in ipairs(waiters) do
    local reply = redis.pcall('PUBLISH', prefix .. waiter, message)
    if type(reply) == 'table' then unreached[#unreached + 1] = waiter end
  end
  return unreached
end
`

/**
 * Sets the lease anew, if the flight is still this token's; and says, or takes back, that its leader waits for a place.
 *
 * KEYS  1 flight
 * ARGV  1 token, 2 lease (ms), 3 'queued' or '', 4 prefix of the inbox channels, 5 id
 * Returns {how many instances wait, or -1: the flight is gone or another's; waiters that PUBLISH could not reach ...}
 */
export const RENEW = `${TELL}
if redis.call('HGET', KEYS[1], 'leader') ~= ARGV[1] then return {'-1'} end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local result = {''}
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], 'queued')
elseif not redis.call('HGET', KEYS[1], 'queued') then
  redis.call('HSET', KEYS[1], 'queued', '1')
  for _, waiter in ipairs(tell(waitersOf(KEYS[1]), ARGV[4], '${QUEUED}', ARGV[1], ARGV[5], '')) do
    result[#result + 1] = waiter
  end
end
result[1] = tostring(redis.call('HLEN', KEYS[1]) - (ARGV[3] == '' and 1 or 2))
return result
`

/**
 * Ends flights: the leader's own, or (without a token) whichever there is, by a direct write.
 *
 * KEYS  entry and flight of each id
 * ARGV  1 prefix of the inbox channels, 2 bytes that bodies of the messages of one id may have in all; then for each id: token or
 *       '', id, outcome letter, body: entry, error or '', 'set', 'del' or '' for the entry, its ttl (ms) or '' for none
 * Returns for each id {FENCED} | {ERROR, message} | {OK, stored, why not, leader, letter as told, waiters that PUBLISH could not
 * reach ...}
 */
export const END = `${TELL}
-- What is stored. First for all, then the flights, then the messages; Lua has no rollback, so what may be refused is a pcall,
-- and the rest is done all the same. Each SET stands before any DEL: after a write Redis would let it pass its memory limit.
local function write(entry, flight, token, letter, body, set, ttl)
  local leader = leaderOf(flight)
  if token ~= '' and leader ~= token then
    -- Its own stamp on the entry: the command ran before, and only its reply was lost.
    if redis.pcall('GETRANGE', entry, 0, ${MARK_BYTES - 1}) == 'atc1' .. token then return {'OK', '1', '', '', ''} end
    return {'FENCED'}
  end
  local stored, refused = '0', ''
  if set == 'set' then
    local kind = redis.call('TYPE', entry).ok
    local reply
    if kind ~= 'string' and kind ~= 'none' then
      reply = {err = 'WRONGTYPE the key holds a ' .. kind}
    elseif ttl == '' then
      reply = redis.pcall('SET', entry, body)
    else
      reply = redis.pcall('SET', entry, body, 'PX', ttl)
    end
    if reply.err then refused = reply.err else stored = '1' end
    if refused ~= '' and token == '' then return {'ERROR', refused} end
  end
  return {'OK', stored, refused, leader or '', letter}, leader
end

local function finish(entry, flight, leader, id, letter, body, set, result)
  local waiters = waitersOf(flight)
  redis.call('DEL', flight)
  if set == 'del' and redis.call('TYPE', entry).ok == 'string' then redis.call('DEL', entry) end
  if letter == '${VALUE}' and #body * #waiters > tonumber(ARGV[2]) then
    body = ''
    if result[2] == '1' then letter = '${READY}' else letter = '${ALONE}' end
  end
  result[5] = letter
  for _, waiter in ipairs(tell(waiters, ARGV[1], letter, leader, id, body)) do result[#result + 1] = waiter end
end

local replies, leaders = {}, {}
for i = 1, #KEYS / 2 do
  local at = 6 * i - 3
  replies[i], leaders[i] =
    write(KEYS[2 * i - 1], KEYS[2 * i], ARGV[at], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5])
end
for i = 1, #KEYS / 2 do
  local at = 6 * i - 3
  if leaders[i] then
    finish(KEYS[2 * i - 1], KEYS[2 * i], leaders[i], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], replies[i])
  end
end
return replies
`

/**
 * Deletes the entry and makes the flight this token's, whoever has it; those who wait for it are told to claim again.
 *
 * KEYS  1 entry, 2 flight, 3 the clock of tags, where it is on the same server
 * ARGV  1 token, 2 lease (ms), 3 id, 4 prefix of the inbox channels
 * Returns {clock or '', the leader before or '', waiters that PUBLISH could not reach ...}
 */
export const TAKE = `${READ_CLOCK}${IS_FOREIGN}${TELL}
-- All that may be refused comes before the first write.
if KEYS[3] and isForeign(KEYS[3]) then return redis.error_reply('${FOREIGN}') end
local time = redis.call('TIME')
local leader = redis.call('HGET', KEYS[2], 'leader')
if redis.call('TYPE', KEYS[1]).ok == 'string' then redis.call('DEL', KEYS[1]) end
local waiters = {}
-- With this very token: the command ran before, and who waits since is told by the end.
if leader ~= ARGV[1] then
  if leader then waiters = waitersOf(KEYS[2]) end
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[2], 'leader', ARGV[1])
end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
local clock = KEYS[3] and readClock(KEYS[3], time, 0)
local result = {clock or '', leader or ''}
for _, waiter in ipairs(tell(waiters, ARGV[4], '${AGAIN}', leader or '', ARGV[3], '')) do
  result[#result + 1] = waiter
end
return result
`

/**
 * Deletes entries and flights; those who wait are told to claim again.
 *
 * KEYS  entry and flight of each id
 * ARGV  1 prefix of the inbox channels, then the ids
 * Returns {id, leader, waiter} for each waiter that PUBLISH could not reach, in one list
 */
export const REMOVE = `${TELL}
local result = {}
for i = 1, #KEYS, 2 do
  local id = ARGV[(i + 3) / 2]
  if redis.call('TYPE', KEYS[i]).ok == 'string' then redis.call('DEL', KEYS[i]) end
  local leader = leaderOf(KEYS[i + 1])
  if leader then
    local waiters = waitersOf(KEYS[i + 1])
    redis.call('DEL', KEYS[i + 1])
    for _, waiter in ipairs(tell(waiters, ARGV[1], '${AGAIN}', leader, id, '')) do
      result[#result + 1] = id
      result[#result + 1] = leader
      result[#result + 1] = waiter
    end
  end
end
return result
`
