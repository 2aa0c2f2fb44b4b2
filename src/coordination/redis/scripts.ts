/**
 * What Redis does in one step each, by its own clock. All keys lie under one hash tag; those not named begin as a key that
 * is named does, with which a client may have put a prefix of its own (ioredis: `keyPrefix`).
 */
import type { RedisScript } from '../../drivers/redis.ts'

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`

/** KEYS: accounts. ARGV: perMinute, charge, want, least of each. */
export const DRAW: RedisScript = {
  text: `${NOW}
local answers = {}
for i, key in ipairs(KEYS) do
  local per, charge, want, least = tonumber(ARGV[4 * i - 3]), tonumber(ARGV[4 * i - 2]), tonumber(ARGV[4 * i - 1]), tonumber(ARGV[4 * i])
  local kept = redis.call('HMGET', key, 'left', 'at')
  local left = kept[1] and tonumber(kept[1]) or per
  local at = kept[2] and tonumber(kept[2]) or now
  local had = math.min(per, math.min(per, left + math.max(0, now - at) / 60000 * per) - charge)
  local taken = 0
  if had >= least then taken = math.max(0, math.min(want, had)) end
  left = had - taken
  if left >= per then
    redis.call('DEL', key)
  else
    redis.call('HSET', key, 'left', string.format('%.17g', left), 'at', string.format('%.0f', math.max(now, at)))
    redis.call('PEXPIRE', key, string.format('%.0f', math.min((per - left) / per * 60000 + 1000, 86400000)))
  end
  answers[i] = { string.format('%.17g', taken), string.format('%.17g', math.max(0, least - had) / per * 60000) }
end
return answers`
}

/** KEYS: the ticket, those of all, those of its owner. ARGV: hash, owner, text, livesFor, most, mostOfOwner. */
export const PUT_TICKET: RedisScript = {
  text: `${NOW}
local ticket, all, own = KEYS[1], KEYS[2], KEYS[3]
local hash, owner, text, lives = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
redis.call('ZREMRANGEBYSCORE', all, '-inf', now)
redis.call('ZREMRANGEBYSCORE', own, '-inf', now)
for _ = 1, redis.call('ZCARD', own) + 1 - tonumber(ARGV[6]) do
  local old = redis.call('ZPOPMIN', own)[1]
  redis.call('ZREM', all, old)
  redis.call('DEL', string.sub(ticket, 1, #ticket - #hash) .. old)
end
if redis.call('ZCARD', all) >= tonumber(ARGV[5]) then return 0 end
redis.call('SET', ticket, owner .. ' ' .. text, 'PX', lives)
for _, key in ipairs({ all, own }) do
  redis.call('ZADD', key, string.format('%.0f', now + lives), hash)
  if redis.call('PTTL', key) < lives then redis.call('PEXPIRE', key, lives) end
end
return 1`
}

/** KEYS: the ticket, those of all, as which those of an owner begin. ARGV: hash. */
export const TAKE_TICKET: RedisScript = {
  text: `
local kept = redis.call('GET', KEYS[1])
if not kept then return false end
local gap = string.find(kept, ' ', 1, true)
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[2] .. string.sub(kept, 1, gap - 1), ARGV[1])
return string.sub(kept, gap + 1)`
}

/** A node's streams are a hash that lapses with its lease; "whole" in it says that a report has told of all. */
const LEASE = `
local function lease (nodes, key, node, ms)
  redis.call('PEXPIRE', key, ms)
  redis.call('SADD', nodes, node)
  if redis.call('PTTL', nodes) < ms then redis.call('PEXPIRE', nodes, ms) end
end`

/** KEYS: the nodes, this one. ARGV: node, owner, most, lease. */
export const ENTER: RedisScript = {
  text: `${LEASE}
local count = 0
for _, node in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local key = string.sub(KEYS[2], 1, #KEYS[2] - #ARGV[1]) .. node
  if redis.call('EXISTS', key) == 0 then redis.call('SREM', KEYS[1], node)
  else count = count + (tonumber(redis.call('HGET', key, 'of ' .. ARGV[2]) or 0)) end
end
if count >= tonumber(ARGV[3]) then return 0 end
redis.call('HINCRBY', KEYS[2], 'of ' .. ARGV[2], 1)
lease(KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[4]))
return 1`
}

/** KEYS: the nodes, this one, its orders. ARGV: node, lease, how long and how many orders wait, how many owners, owner and count of each, then node and text of each order. */
export const REPORT: RedisScript = {
  text: `${LEASE}
local node, ms, owners = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[5])
for i = 6 + 2 * owners, #ARGV, 2 do
  local key = string.sub(KEYS[3], 1, #KEYS[3] - #node) .. ARGV[i]
  redis.call('RPUSH', key, ARGV[i + 1])
  redis.call('LTRIM', key, -tonumber(ARGV[4]), -1)
  redis.call('PEXPIRE', key, ARGV[3])
end
local orders = redis.call('LRANGE', KEYS[3], 0, -1)
redis.call('DEL', KEYS[3])
local known = redis.call('HEXISTS', KEYS[2], 'whole')
if ms == 0 then
  redis.call('DEL', KEYS[2])
  redis.call('SREM', KEYS[1], node)
  return { known, orders }
end
redis.call('HSET', KEYS[2], 'whole', 1)
for i = 6, 5 + 2 * owners, 2 do
  if tonumber(ARGV[i + 1]) > 0 then redis.call('HSET', KEYS[2], 'of ' .. ARGV[i], ARGV[i + 1])
  else redis.call('HDEL', KEYS[2], 'of ' .. ARGV[i]) end
end
lease(KEYS[1], KEYS[2], node, ms)
return { known, orders }`
}
