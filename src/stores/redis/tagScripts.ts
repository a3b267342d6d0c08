/**
 * The steps over tags. A tag is a sorted set, its index: ids by when they may be forgotten (server time, ms); and a hash,
 * its state: `epoch`, when it was invalidated last, and `sweeper`, the clock of whoever may delete the index. As in
 * `flightScripts.ts`.
 */

/** A Lua function: a clock that was kept, as a number; 0 for what is none of ours. */
const CLOCK_OF = `
local function clockOf(kept)
  local clock = kept and #kept <= 16 and string.match(kept, '^%d+$') and tonumber(kept) or 0
  return clock < 2 ^ 53 and clock or 0
end
`

/**
 * A Lua function: the clock of tags, `steps` further; kept, so that it never goes back, also where the server's does; nil
 * for a key of another type, and at the end of its numbers. In microseconds of the server's time, which 2^53 holds until the year 2255.
 */
export const READ_CLOCK = `${CLOCK_OF}
local function readClock(key, time, steps)
  local kept = redis.pcall('GET', key)
  if type(kept) == 'table' then return nil end
  local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
  local clock = math.max(clockOf(kept), now) + steps
  -- Somebody has set it so far ahead that one more step would not be seen: then nothing may be told by it.
  if clock >= 2 ^ 53 then return nil end
  clock = string.format('%.0f', clock)
  redis.call('SET', key, clock)
  return clock
end
`

/** A Lua function: whether the key of the clock holds something of another type. */
export const IS_FOREIGN = `
local function isForeign(key)
  return type(redis.pcall('GET', key)) == 'table'
end
`

/** What is said then. */
export const FOREIGN = 'WRONGTYPE the key of the clock holds something else'

/**
 * KEYS  1 the clock of tags
 * ARGV  1 how many steps it goes on
 * Returns the clock
 */
export const CLOCK = `${READ_CLOCK}${IS_FOREIGN}
if isForeign(KEYS[1]) then return redis.error_reply('${FOREIGN}') end
-- Where memory is full Redis refuses SET, but not to a script that has written before.
redis.call('PERSIST', KEYS[1])
return readClock(KEYS[1], redis.call('TIME'), tonumber(ARGV[1])) or redis.error_reply('${FOREIGN}')
`

/** A Lua function: what a call said that failed; an error is a table in Redis 7, and a text before. */
export const MESSAGE_OF = `
local function messageOf(err)
  return type(err) == 'table' and err.err or tostring(err)
end
`

/**
 * Lists ids under tags, for at least their life, and then reads the tags' epochs. An index lives as long as its longest
 * member. One that fails leaves the others as they are.
 *
 * KEYS  index and state of each tag of each id
 * ARGV  for each id: id, life (ms) or '' for ever, how many tags
 * Returns for each id {the greatest epoch, or 0; why one of its tags failed, or ''}
 */
export const INDEX = `${CLOCK_OF}${MESSAGE_OF}
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function list(id, life, index, state)
  -- Looked at before ZADD: without an expiry it is new, or for ever.
  local left = redis.call('PTTL', index)
  -- The id may not be among those that the sweeper has seen. It also is the write after which ZADD is not refused.
  redis.call('HDEL', state, 'sweeper')
  -- Never earlier than before: what was stored under the id then may be there still.
  if life == '' then
    redis.call('ZADD', index, 'GT', '+inf', id)
    if left >= 0 then redis.call('PERSIST', index) end
  else
    redis.call('ZADD', index, 'GT', string.format('%.0f', now + tonumber(life)), id)
    if left == -2 or (left >= 0 and left < tonumber(life)) then redis.call('PEXPIRE', index, life) end
  end
  local over = redis.call('ZRANGEBYSCORE', index, '-inf', now, 'LIMIT', 0, 20)
  if #over > 0 then redis.call('ZREM', index, unpack(over)) end
  return clockOf(redis.call('HGET', state, 'epoch'))
end

local replies = {}
local key = 1
for i = 1, #ARGV, 3 do
  local greatest, message = 0, ''
  for _ = 1, tonumber(ARGV[i + 2]) do
    local ran, epoch = pcall(list, ARGV[i], ARGV[i + 1], KEYS[key], KEYS[key + 1])
    if ran then greatest = math.max(greatest, epoch) else message = messageOf(epoch) end
    key = key + 2
  end
  replies[#replies + 1] = {string.format('%.0f', greatest), message}
end
return replies
`

/**
 * Says when a tag was invalidated, and who may delete its index.
 *
 * KEYS  1 state
 * ARGV  1 clock, 2 life of the state (ms)
 */
export const MARK = `${CLOCK_OF}
local epoch = clockOf(redis.call('HGET', KEYS[1], 'epoch'))
-- The write after which HSET is not refused.
redis.call('HDEL', KEYS[1], 'sweeper')
redis.call('HSET', KEYS[1], 'epoch', string.format('%.0f', math.max(epoch, tonumber(ARGV[1]))), 'sweeper', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 'OK'
`

/**
 * Deletes an index, unless an id was added, or the tag marked by another, since the mark with this clock.
 *
 * KEYS  1 index, 2 state
 * ARGV  1 clock
 */
export const SWEEP = `
if redis.call('HGET', KEYS[2], 'sweeper') ~= ARGV[1] then return 'KEPT' end
-- A key of another type is left alone.
if redis.call('TYPE', KEYS[1]).ok == 'zset' then redis.call('UNLINK', KEYS[1]) end
redis.call('HDEL', KEYS[2], 'sweeper')
return 'SWEPT'
`
