/** What every script begins with. */

/** Arguments after the preamble's own, one after the other; numbers as text, which no exponent may come into. */
const ARGUMENTS = `
local at = 5
local function next_arg () at = at + 1; return ARGV[at] end
local function next_number () return tonumber(next_arg()) end
local function text (number) return string.format('%.0f', number) end
`

/** Where things lie in an entry: src/changelog/redis/entries.ts. */
const ENTRIES = `
local function previous_of (value) return (math.abs(struct.unpack('<d', value, 1))) end
local function has_own_identity (value) return string.byte(value, 8) < 128 end
local function text_from (value) return (struct.unpack('<I4', value, 13)) end
local function time_of (value) return (struct.unpack('<d', value, 17)) end
local function is_delete (value) return string.byte(value, 41) % 4 == 2 end
local function after_identity (value) return 43 + string.byte(value, 42) end
local function after_name (value) return after_identity(value) + 4 + struct.unpack('<I4', value, after_identity(value)) end
local function name_of (value) return string.sub(value, after_identity(value) + 4, after_name(value) - 1) end
-- The key of an identity: its length, itself and the document's name.
local function identity_of (value) return string.sub(value, 42, after_identity(value) - 1) .. name_of(value) end
local function facts_of (value) return string.sub(value, 1, text_from(value)) end
local function collection_of (name)
  local colon = string.find(name, ':', 1, true)
  return string.sub(name, colon + 1, colon + tonumber(string.sub(name, 1, colon - 1)))
end
local function head_place (collection, sequence) return struct.pack('>I4d', collection, sequence) end
local function channel_place (channel, position, member, name) return struct.pack('>I4dB', channel, position, member) .. name end
`

/**
 * What the caller knows: ARGV[1] the log, ARGV[2] the id of its newest epoch, ARGV[3] the highest sequence it has seen
 * there and ARGV[4] the checksum of that entry ('' where it does not know). A server may have lost what it acknowledged.
 * That it did so shows in its run, which a fail-over to another server and back changes too, or in what the caller has
 * seen: the log went back where the caller's position is good by its epochs, but the entry there is not the one it was.
 */
export const HISTORY = `
local function run_of_redis ()
  local info = redis.call('INFO', 'server', 'replication')
  return string.match(info, 'run_id:(%x+)') .. string.match(info, 'master_replid:(%x+)')
end
local function epoch_of (row)
  local id, first = string.match(row, '^(%S+) (%d+)')
  return id, tonumber(first)
end
-- Whether it went back, and in which of these epochs at the earliest.
local function went_back (rows, sequence, mark)
  local position, place = tonumber(ARGV[3]), nil
  for i = #rows, 1, -1 do
    if epoch_of(rows[i]) == ARGV[2] then place = i break end
  end
  if not place then return #rows end
  if place < #rows and select(2, epoch_of(rows[place + 1])) <= position then return nil end
  if position > sequence then return place end
  if ARGV[4] == '' then return nil end
  local there = mark
  if position < sequence then there = string.sub(redis.call('HGET', log, text(position)) or '', 9, 12) end
  return there ~= '' and there ~= ARGV[4] and place or nil
end
`

/** ARGV[5]: '1' where an epoch must begin before a log that may have lost something is asked for anything. */
const STATE = `
local m = redis.call('HMGET', meta, 'log', 'run', 'moving', 'sequence', 'horizon', 'history_horizon', 'identities_before', 'filing', 'filed_by', 'layout', 'channels', 'mark')
if not m[1] then return {'none'} end
if m[10] ~= '1' then return {'layout', m[10]} end
if m[3] then return {'moving'} end
if ARGV[5] == '1' and m[2] ~= run_of_redis() then return {'restarted'} end
local sequence = tonumber(m[4])
local known = ARGV[1] == m[1] and ARGV[2] ~= ''
local fresh = redis.call('LRANGE', epochs, -1, -1)
if known and epoch_of(fresh[1] or '') == ARGV[2] then
  if ARGV[5] == '1' and went_back(fresh, sequence, m[12] or '') then return {'restarted'} end
  fresh = {}
else
  fresh = redis.call('LRANGE', epochs, 0, -1)
  if known and ARGV[5] == '1' and went_back(fresh, sequence, m[12] or '') then return {'restarted'} end
end
local state = {m[1], m[4], m[5], m[6], m[7], m[8], m[9], m[12] or '', fresh}
`

export const PREAMBLE = ARGUMENTS + ENTRIES + HISTORY + STATE
export const WITHOUT_STATE = ARGUMENTS + ENTRIES

/** Numbers of collections and channels, given as they come. */
export const NUMBERS = `
local function number_in (key, counter, name)
  local number = redis.call('HGET', key, name)
  if number then return tonumber(number) end
  number = redis.call('HINCRBY', meta, counter, 1)
  redis.call('HSET', key, name, number)
  return number
end
local numbers, channel_numbers = {}, {}
local function number_of_channel (name)
  channel_numbers[name] = channel_numbers[name] or number_in(channels, 'channel_numbers', name)
  return channel_numbers[name]
end
local function number_of (name)
  local collection = collection_of(name)
  numbers[collection] = numbers[collection] or number_in(collections, 'collection_numbers', collection)
  return numbers[collection]
end
`
