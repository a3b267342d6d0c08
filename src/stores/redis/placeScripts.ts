import { TELL } from './flightScripts.ts'
import { AGAIN } from './messages.ts'

/**
 * The steps over the queue of a group, as in `flightScripts.ts`. It is two sorted sets: tickets by their order, and tickets by when
 * their lease ends (server time, ms). A ticket is 16 characters, followed by the instance that has it. The first tickets have a
 * place; which one has is nowhere written, so that it can't be lost.
 */

/** Lua functions over the queue. KEYS 1 queue, 2 leases; ARGV 1 prefix of the inbox channels, 2 group. */
const QUEUE = `${TELL}
local queue, leases = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function remove(key, tickets)
  for first = 1, #tickets, 1000 do
    redis.call('ZREM', key, unpack(tickets, first, math.min(first + 999, #tickets)))
  end
end

-- Those whose lease has run out; how many.
local function drop()
  local over = redis.call('ZRANGEBYSCORE', leases, '-inf', now)
  remove(leases, over)
  remove(queue, over)
  -- Of two keys one may be evicted: without a lease a ticket would stand for ever.
  if redis.call('ZCARD', queue) ~= redis.call('ZCARD', leases) then
    local lost = {}
    for _, ticket in ipairs(redis.call('ZRANGE', queue, 0, -1)) do
      if not redis.call('ZSCORE', leases, ticket) then lost[#lost + 1] = ticket end
    end
    remove(queue, lost)
    return #over + #lost
  end
  return #over
end

-- Those who have come to one of the places since so many others have gone; who had one already does not listen. Those that
-- could not be published to.
local function admit(places, gone)
  local unreached = {}
  if gone == 0 then return unreached end
  for _, ticket in ipairs(redis.call('ZRANGE', queue, math.max(0, places - gone), places - 1)) do
    for _, instance in ipairs(tell({string.sub(ticket, 17)}, ARGV[1], '${AGAIN}', string.sub(ticket, 1, 16), ARGV[2], '')) do
      unreached[#unreached + 1] = string.sub(ticket, 1, 16)
      unreached[#unreached + 1] = instance
    end
  end
  return unreached
end
`

/**
 * Tickets of one instance, where they stood or last, with a new lease.
 *
 * KEYS  1 queue, 2 leases
 * ARGV  1 prefix of the inbox channels, 2 group, 3 instanceId; then for each ticket: ticket, places, lease (ms)
 * Returns for each {how many are ahead, ms until the first lease in the queue ends}; then {ticket, instance} for each that PUBLISH
 * could not reach, in one list
 */
export const ENTER = `${QUEUE}
-- The write after which ZADD is not refused.
redis.call('ZREM', leases, '')
local last = redis.call('ZRANGE', queue, -1, -1, 'WITHSCORES')
local order = tonumber(last[2] or '0')
local longest, places = 0, 0
for i = 4, #ARGV, 3 do
  local ticket, lease = ARGV[i] .. ARGV[3], tonumber(ARGV[i + 2])
  -- Before any is dropped: one that comes late, and that nobody has missed yet, keeps its stand.
  redis.call('ZADD', leases, string.format('%.0f', now + lease), ticket)
  if not redis.call('ZSCORE', queue, ticket) then
    order = order + 1
    redis.call('ZADD', queue, string.format('%.0f', order), ticket)
  end
  longest = math.max(longest, lease)
  places = math.max(places, tonumber(ARGV[i + 1]))
end
for _, key in ipairs({queue, leases}) do
  if redis.call('PTTL', key) < longest then redis.call('PEXPIRE', key, longest) end
end
local unreached = admit(places, drop())
local first = tonumber(redis.call('ZRANGE', leases, 0, 0, 'WITHSCORES')[2])
local replies = {}
for i = 4, #ARGV, 3 do
  replies[#replies + 1] = {tostring(redis.call('ZRANK', queue, ARGV[i] .. ARGV[3])), tostring(first - now)}
end
replies[#replies + 1] = unreached
return replies
`

/**
 * Takes tickets of one instance out of the queue.
 *
 * KEYS  1 queue, 2 leases
 * ARGV  1 prefix of the inbox channels, 2 group, 3 instanceId; then for each ticket: ticket, places
 * Returns {ticket, instance} for each that PUBLISH could not reach, in one list
 */
export const LEAVE = `${QUEUE}
local places, gone = 0, 0
for i = 4, #ARGV, 2 do
  local ticket = ARGV[i] .. ARGV[3]
  places = math.max(places, tonumber(ARGV[i + 1]))
  local ahead = redis.call('ZRANK', queue, ticket)
  -- Who has waited takes nobody's place with it.
  if ahead and ahead < tonumber(ARGV[i + 1]) then gone = gone + 1 end
  redis.call('ZREM', queue, ticket)
  redis.call('ZREM', leases, ticket)
end
return admit(places, gone + drop())
`
