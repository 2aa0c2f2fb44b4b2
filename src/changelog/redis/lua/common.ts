/** What every script begins with. */

/** Arguments after the preamble's own, one after the other; numbers as text, which no exponent may come into. */
const ARGUMENTS = `
local at = 3
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
 * ARGV[1] and ARGV[2]: the log and how many of its epochs the caller knows. ARGV[3]: '1' where the answer must be of the
 * stretch of history that this run of Redis is in: a server that was restarted, or another one, may have lost what it
 * acknowledged, so an epoch begins before it is asked for anything.
 */
const STATE = `
local m = redis.call('HMGET', meta, 'log', 'run', 'moving', 'sequence', 'horizon', 'history_horizon', 'identities_before', 'filing', 'filed_by', 'layout', 'channels')
if not m[1] then return {'none'} end
if m[10] ~= '1' then return {'layout', m[10]} end
if m[3] then return {'moving'} end
if ARGV[3] == '1' and m[2] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then return {'restarted'} end
local known = ARGV[1] == m[1] and tonumber(ARGV[2]) or 0
local state = {m[1], m[4], m[5], m[6], m[7], m[8], m[9], known, redis.call('LRANGE', epochs, known, -1)}
local sequence = tonumber(m[4])
`

export const PREAMBLE = ARGUMENTS + ENTRIES + STATE
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
local function number_of_channel (name) return number_in(channels, 'channel_numbers', name) end
local numbers = {}
local function number_of (name)
  local collection = collection_of(name)
  numbers[collection] = numbers[collection] or number_in(collections, 'collection_numbers', collection)
  return numbers[collection]
end
`
