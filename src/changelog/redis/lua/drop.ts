/** Dropping what is not needed any more, a few rows at a time: between two calls others commit. */
import { dropping, type Script } from '../layout.ts'
import { PREAMBLE } from './common.ts'

/** Only who holds the key does such work, so that Redis does not do it all several times. ARGV: who, for how long (ms); 0 ends it. */
function hold (key: 'compacting' | 'filer'): Script {
  return dropping(['meta', 'epochs', 'log', key], PREAMBLE, `
local who, ms = next_arg(), next_number()
local holder = redis.call('GET', ${key})
if holder and holder ~= who then return {'ok', state, 0} end
if ms > 0 then redis.call('SET', ${key}, who, 'PX', ms) else redis.call('DEL', ${key}) end
return {'ok', state, 1}
`)
}

export const HOLDS = { compacting: hold('compacting'), filer: hold('filer') } as const

const DROP = `
local own_ids = redis.call('EXISTS', given) == 1
local function drop (position, value)
  redis.call('HDEL', log, text(position))
  redis.call('ZREM', kept, text(position))
  if not own_ids then return end
  local from = after_name(value)
  local id = cjson.decode(string.sub(value, from + 1 + string.byte(value, from), text_from(value)))[5]
  if id ~= cjson.null then redis.call('HDEL', given, id) end
end
`

/**
 * Superseded versions: what a version that lives has superseded, the one before it, or a deletion with what that
 * deleted, by which a reader's right to learn of it is judged. Not where an older version is kept, as after a jump of
 * the clock. ARGV: after which sequence ('' : where the last run settled), from before what time, how many rows.
 */
export const SUPERSEDED = dropping(['meta', 'epochs', 'log', 'heads', 'kept', 'given'], PREAMBLE, DROP, `
local after, before, count = next_arg(), next_number(), next_number()
local settled = tonumber(redis.call('HGET', meta, 'settled') or 0)
local settling = after == '' or tonumber(after) == settled
if after == '' then after = text(settled) end
local found = {}
for _, key in ipairs({heads, kept}) do
  local members = redis.call('ZRANGEBYSCORE', key, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, count)
  for i = 2, #members, 2 do found[#found + 1] = tonumber(members[i]) end
end
table.sort(found)
local gone, history = {}, tonumber(m[6])
-- Whether nothing that this entry superseded is left.
local function supersede (position, value)
  local chain, older_is_kept = {}, false
  local below = previous_of(value)
  local deleted = true
  while below > 0 and not gone[below] do
    local older = redis.call('HGET', log, text(below))
    if not older then break end
    if not deleted then return false end
    deleted = is_delete(older)
    chain[#chain + 1] = {below, older}
    below = previous_of(older)
  end
  for _, old in ipairs(chain) do gone[old[1]] = old[2] end
  if #chain > 0 then history = math.max(history, position) end
  return true
end
local looked = 0
for i = 1, math.min(#found, count) do
  looked = found[i]
  local value = redis.call('HGET', log, text(looked))
  local done = time_of(value) < before and (is_delete(value) or supersede(looked, value))
  settling = settling and done
  if settling then settled = looked end
end
redis.call('HSET', meta, 'history_horizon', text(history), 'settled', text(settled))
for position, value in pairs(gone) do drop(position, value) end
return {'ok', state, #found < count and '0' or text(looked)}
`)

/**
 * Deleted documents, in sequence order up to the first that is kept, so that the horizon says exactly what is gone.
 * ARGV: from before what time, how many rows. @returns whether more are left
 */
export const PURGE = dropping(['meta', 'epochs', 'log', 'heads', 'of', 'kept', 'collections', 'channels', 'places', 'filed', 'given', 'tombstones'], PREAMBLE, DROP, `
local before, left = next_number(), next_number()
local function unfile (name)
  local filing = redis.call('HGET', filed, name) or ''
  local from = 1
  while from <= #filing do
    local position, member, length = struct.unpack('<dBI4', filing, from)
    local number = tonumber(redis.call('HGET', channels, string.sub(filing, from + 13, from + 12 + length)))
    redis.call('ZREM', places, channel_place(number, position, member, name))
    from = from + 13 + length
  end
  redis.call('HDEL', filed, name)
end
-- A long history goes in several calls: what the last body points to is then what is left.
local function forget_versions (value)
  local last = previous_of(value)
  local body = last > 0 and redis.call('HGET', log, text(last))
  if not body then return true end
  local below = previous_of(body)
  while below > 0 do
    local older = redis.call('HGET', log, text(below))
    if not older then break end
    if left <= 0 then
      redis.call('HSET', log, text(last), struct.pack('<d', has_own_identity(body) and below or -below) .. string.sub(body, 9))
      return false
    end
    drop(below, older)
    left = left - 1
    below = previous_of(older)
  end
  drop(last, body)
  return true
end
local function purge (name, position, value)
  redis.call('HSET', meta, 'history_horizon', text(math.max(tonumber(redis.call('HGET', meta, 'history_horizon')), position)))
  if not forget_versions(value) then return false end
  local number = tonumber(redis.call('HGET', collections, collection_of(name)))
  redis.call('HSET', meta, 'horizon', text(math.max(tonumber(redis.call('HGET', meta, 'horizon')), position)))
  redis.call('ZREM', of, head_place(number, position))
  redis.call('ZREM', heads, name)
  redis.call('ZREM', tombstones, name)
  unfile(name)
  drop(position, value)
  return true
end
while left > 0 do
  local oldest = redis.call('ZRANGE', tombstones, 0, 0, 'WITHSCORES')
  if #oldest == 0 then return {'ok', state, 0} end
  local name, position = oldest[1], tonumber(oldest[2])
  left = left - 1
  if tonumber(redis.call('ZSCORE', heads, name) or 0) ~= position then
    redis.call('ZREM', tombstones, name)
  else
    local value = redis.call('HGET', log, text(position))
    if time_of(value) >= before then return {'ok', state, 0} end
    purge(name, position, value)
  end
end
return {'ok', state, 1}
`)

/** ARGV: where to begin, from before what time. From now on none from before it is known, whether it is gone yet or not. */
export const FORGET_IDENTITIES = dropping(['meta', 'epochs', 'log', 'identities'], PREAMBLE, `
local cursor, before = next_arg(), next_number()
if before > tonumber(m[7]) then redis.call('HSET', meta, 'identities_before', text(before)) end
local found = redis.call('HSCAN', identities, cursor, 'COUNT', 500)
for i = 1, #found[2], 2 do
  if struct.unpack('<d', found[2][i + 1], 9) < before then redis.call('HDEL', identities, found[2][i]) end
end
return {'ok', state, found[1]}
`)

export const FORGET_PUSHES = dropping(['meta', 'epochs', 'log', 'pushes'], PREAMBLE, `
local cursor, before = next_arg(), next_number()
local found = redis.call('HSCAN', pushes, cursor, 'COUNT', 500)
for i = 1, #found[2], 2 do
  if struct.unpack('<d', found[2][i + 1], 9) < before then redis.call('HDEL', pushes, found[2][i]) end
end
return {'ok', state, found[1]}
`)

/** ARGV: after which id, from before what time. @returns the last id that was looked at; '' at the end */
export const FORGET_JOURNAL = dropping(['meta', 'epochs', 'log', 'journal'], PREAMBLE, `
local after, before = next_arg(), next_number()
local bytes = tonumber(redis.call('HGET', meta, 'journal_bytes') or 0)
local last, left = '', 2 ^ 20
for _, row in ipairs(redis.call('XRANGE', journal, after, '+', 'COUNT', 250)) do
  last = row[1]
  left = left - tonumber(row[2][6])
  if tonumber(row[2][8]) < before then
    bytes = bytes - tonumber(row[2][6])
    redis.call('XDEL', journal, row[1])
  end
  if left < 0 then break end
end
if last ~= '' then redis.call('HSET', meta, 'journal_bytes', text(bytes)) end
return {'ok', state, last}
`)

/**
 * Drops every entry: records of pushes and the journal stay. It takes a sequence itself: with it the head of before is
 * told from the head of now. ARGV: a new epoch's id, the time.
 */
export const CLEAR = dropping(['meta', 'epochs', 'log', 'heads', 'of', 'kept', 'collections', 'identities', 'channels', 'places', 'filed', 'given', 'tombstones'], PREAMBLE, `
local epoch, now = next_arg(), next_arg()
local first = text(sequence + 1)
redis.call('HSET', meta, 'sequence', first, 'horizon', first, 'settled', '0', 'mark', '')
redis.call('RPUSH', epochs, epoch .. ' ' .. first .. ' ' .. now)
redis.call('UNLINK', log, heads, of, kept, collections, identities, channels, places, filed, given, tombstones)
return {'ok', state}
`)
