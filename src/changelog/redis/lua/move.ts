/** A log that moves out of Redis, and one that moves in. */
import { dropping, NAMES, reading, writing, type KeyName } from '../layout.ts'
import { NUMBERS, PREAMBLE, WITHOUT_STATE } from './common.ts'

export const FACTS = reading(['meta', 'epochs', 'log'], PREAMBLE, `
return {'ok', state, redis.call('HGET', meta, 'secret'), redis.call('HGET', meta, 'journal_ids') or '0', m[2]}
`)

/** Heads with an identity of their own: after which sequence, how many. The last one looked at comes first, 0 at the end. */
export const OWN_IDENTITIES = reading(['meta', 'epochs', 'log', 'heads'], PREAMBLE, `
local after, count = next_arg(), next_number()
local members = redis.call('ZRANGEBYSCORE', heads, '(' .. after, '+inf', 'LIMIT', 0, count)
local answers = {'ok', state, '0'}
for _, name in ipairs(members) do
  local position = text(tonumber(redis.call('ZSCORE', heads, name)))
  local value = redis.call('HGET', log, position)
  answers[3] = position
  if has_own_identity(value) and time_of(value) >= tonumber(m[7]) then
    answers[#answers + 1] = identity_of(value)
    answers[#answers + 1] = struct.pack('<dd', tonumber(position), time_of(value))
  end
end
return answers
`)

function scanned (key: KeyName): ReturnType<typeof reading> {
  return reading(['meta', 'epochs', 'log', key], PREAMBLE, `
local found = redis.call('HSCAN', ${key}, next_arg(), 'COUNT', next_arg())
local answers = {'ok', state, found[1]}
for i = 1, #found[2] do answers[3 + i] = found[2][i] end
return answers
`)
}

/** Where to begin, about how many: where to go on, then names and values. */
export const SCANS = { identities: scanned('identities'), filed: scanned('filed'), pushes: scanned('pushes') } as const

/** After which id, how many, how much. */
export const JOURNAL_AFTER = reading(['meta', 'epochs', 'log', 'journal'], PREAMBLE, `
local answers = {'ok', state}
local after, count, left = next_arg(), next_arg(), next_number()
for _, row in ipairs(redis.call('XRANGE', journal, '(' .. after .. '-0', '+', 'COUNT', count)) do
  answers[#answers + 1] = row[1]
  answers[#answers + 1] = row[2][2]
  answers[#answers + 1] = row[2][4]
  left = left - tonumber(row[2][6])
  if left < 0 then break end
end
return answers
`)

/** The log that moves and its state. */
export const BEGIN = dropping([...NAMES], WITHOUT_STATE, `
local log_, state_ = next_arg(), next_arg()
local m = redis.call('HMGET', meta, 'log', 'moving', 'moving_state', 'progress', 'sequence', 'journal_ids')
if m[1] and m[2] == log_ and m[3] == state_ then return {'ok', m[4]} end
if m[1] and m[2] ~= log_ then
  if m[2] or m[5] ~= '0' or (m[6] and m[6] ~= '0') or redis.call('EXISTS', pushes) == 1 then return {'held'} end
elseif not m[1] and redis.call('EXISTS', epochs, log, heads, pushes, journal) > 0 then
  return {'damaged'}
end
redis.call('UNLINK', unpack(KEYS))
redis.call('HSET', meta, 'log', 'moving', 'layout', '1', 'moving', log_, 'moving_state', state_, 'progress', '')
return {'ok', ''}
`)

const PUT = `
local put = {}
function put.entry ()
  local position, name, value, id = next_number(), next_arg(), next_arg(), next_arg()
  local head = tonumber(redis.call('ZSCORE', heads, name) or 0)
  redis.call('HSET', log, text(position), value)
  if id ~= '' then redis.call('HSET', given, id, text(position)) end
  if position < head then redis.call('ZADD', kept, text(position), text(position)) end
  if position <= head then return end
  if head > 0 then
    redis.call('ZADD', kept, text(head), text(head))
    redis.call('ZREM', of, head_place(number_of(name), head))
  end
  redis.call('ZADD', heads, text(position), name)
  redis.call('ZADD', of, 0, head_place(number_of(name), position))
  if is_delete(value) then redis.call('ZADD', tombstones, text(position), name) end
end
function put.identity ()
  local key, sequence_, time = next_arg(), next_number(), next_number()
  redis.call('HSET', identities, key, struct.pack('<dd', sequence_, time))
end
function put.channel ()
  local name, channel, position, member = next_arg(), next_arg(), next_number(), next_number()
  local filing = redis.call('HGET', filed, name) or ''
  local rows, from = {}, 1
  while from <= #filing do
    local at_, inside, length = struct.unpack('<dBI4', filing, from)
    if string.sub(filing, from + 13, from + 12 + length) == channel then
      redis.call('ZREM', places, channel_place(number_of_channel(channel), at_, inside, name))
    else
      rows[#rows + 1] = string.sub(filing, from, from + 12 + length)
    end
    from = from + 13 + length
  end
  rows[#rows + 1] = struct.pack('<dBI4', position, member, #channel) .. channel
  redis.call('ZADD', places, 0, channel_place(number_of_channel(channel), position, member, name))
  redis.call('HSET', filed, name, table.concat(rows))
end
function put.push ()
  local key, fingerprint, first, outcome, time = next_arg(), next_arg(), next_number(), next_arg(), next_number()
  local record = struct.pack('<dd', first, time) .. string.char(#fingerprint) .. fingerprint .. outcome
  if redis.call('HSET', pushes, key, record) == 1 then redis.call('RPUSH', ages, struct.pack('<d', time) .. key) end
end
function put.journal ()
  local id, facts, raw, weight, time = next_arg() .. '-0', next_arg(), next_arg(), next_arg(), next_arg()
  if #redis.call('XRANGE', journal, id, id) > 0 then return end
  redis.call('XADD', journal, id, 'f', facts, 'r', raw, 'w', weight, 't', time)
  redis.call('HINCRBY', meta, 'journal_bytes', weight)
end
`

/** Progress, then the records. */
export const TAKE = writing([...NAMES], WITHOUT_STATE, NUMBERS, PUT, `
local progress = next_arg()
if not redis.call('HGET', meta, 'moving') then return {'none'} end
redis.call('HSET', meta, 'progress', progress)
while at < #ARGV do put[next_arg()]() end
return {'ok'}
`)

/** The log's new name, what is true of it, how many epochs and each of them. */
export const END = writing(['meta', 'epochs', 'filed'], WITHOUT_STATE, `
if not redis.call('HGET', meta, 'moving') then return {'none'} end
local used = redis.call('EXISTS', filed)
redis.call('HSET', meta, 'log', next_arg(), 'sequence', next_arg(), 'horizon', next_arg(), 'history_horizon', next_arg(),
  'secret', next_arg(), 'filed_by', next_arg(), 'filing', next_arg(), 'journal_ids', next_arg(), 'identities_before', '0', 'run', '', 'channels', used)
redis.call('HDEL', meta, 'moving', 'moving_state', 'progress')
redis.call('DEL', epochs)
while at < #ARGV do redis.call('RPUSH', epochs, next_arg()) end
return {'ok'}
`)
