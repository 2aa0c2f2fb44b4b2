/**
 * Commits pushes, one after the other and each apart from the others: everything that can refuse one is asked before
 * its first write, since scripts do not roll back. That Redis may write at all is asked before the script begins.
 */
import { writing } from '../layout.ts'
import { NUMBERS, PREAMBLE } from './common.ts'

/** A push as its arguments say it. */
const ARGUMENTS = `
local function read_entry ()
  local entry = {name = next_arg(), expected = next_number(), body = next_arg(), replaced = next_arg(), channels = {}}
  local channels, from = next_arg(), 2
  entry.filed = channels ~= ''
  while from <= #channels do
    local length = struct.unpack('<I4', channels, from)
    entry.channels[#entry.channels + 1] = string.sub(channels, from + 4, from + 3 + length)
    from = from + 4 + length
  end
  entry.identity = string.sub(entry.body, 34, 34 + string.byte(entry.body, 34)) .. entry.name
  return entry
end
local function read_push ()
  local push = {key = next_arg(), fingerprint = next_arg(), outcome = next_arg(), time = next_number(), sequence = next_number(), id = next_arg(), journal = {}, entries = {}}
  for i = 1, next_number() do push.journal[i] = {facts = next_arg(), raw = next_arg(), weight = next_number()} end
  for i = 1, next_number() do push.entries[i] = read_entry() end
  return push
end
`

const CHANNELS = `
local used = m[11] == '1'
local function move_channels (entry, position)
  if not entry.filed and string.byte(entry.body, 33) >= 8 then redis.call('HSET', meta, 'filed_by', '') end
  if #entry.channels > 0 and not used then
    used = true
    redis.call('HSET', meta, 'channels', '1')
  end
  if not used then return end
  local now, rows = {}, {}
  for _, channel in ipairs(entry.channels) do now[channel] = true end
  local function place (channel, before, member)
    local number = number_of_channel(channel)
    if before then redis.call('ZREM', places, channel_place(number, before.position, before.member, entry.name)) end
    redis.call('ZADD', places, 0, channel_place(number, position, member, entry.name))
    rows[#rows + 1] = struct.pack('<dBI4', position, member, #channel) .. channel
  end
  local filing = redis.call('HGET', filed, entry.name) or ''
  local from = 1
  while from <= #filing do
    local position_, member, length = struct.unpack('<dBI4', filing, from)
    local channel = string.sub(filing, from + 13, from + 12 + length)
    local before = {position = position_, member = member}
    if now[channel] then
      now[channel] = nil
      place(channel, before, 1)
    elseif member == 1 then
      place(channel, before, 0)
    else
      rows[#rows + 1] = string.sub(filing, from, from + 12 + length)
    end
    from = from + 13 + length
  end
  for _, channel in ipairs(entry.channels) do
    if now[channel] then
      now[channel] = nil
      place(channel, nil, 1)
    end
  end
  if #rows > 0 then redis.call('HSET', filed, entry.name, table.concat(rows)) end
end
`

const ENTRIES = `
local function is_known (identity)
  local record = redis.call('HGET', identities, identity)
  return record and struct.unpack('<d', record, 9) >= tonumber(m[7])
end
-- The first sequence of an identity is the one that a repeat is told.
local function remember (previous, replaced)
  if replaced == '' then
    local value = redis.call('HGET', log, text(previous))
    replaced = has_own_identity(value) and struct.pack('<d', time_of(value)) .. identity_of(value)
  end
  if not replaced or struct.unpack('<d', replaced) < tonumber(m[7]) or is_known(string.sub(replaced, 9)) then return end
  redis.call('HSET', identities, string.sub(replaced, 9), struct.pack('<d', previous) .. string.sub(replaced, 1, 8))
end
local function put (entry, position, current, time)
  local before, collection = current[entry.name], number_of(entry.name)
  local previous = before.sequence
  if previous > 0 then
    local replaced = before.replaced
    if replaced == nil then replaced = entry.replaced end
    remember(previous, replaced)
    redis.call('ZADD', kept, text(previous), text(previous))
    redis.call('ZREM', of, head_place(collection, previous))
  end
  local known = is_known(entry.identity)
  redis.call('HSET', log, text(position), struct.pack('<d', known and -previous or previous) .. entry.body)
  redis.call('ZADD', heads, text(position), entry.name)
  redis.call('ZADD', of, 0, head_place(collection, position))
  if string.byte(entry.body, 33) % 4 == 2 then redis.call('ZADD', tombstones, text(position), entry.name) end
  move_channels(entry, position)
  current[entry.name] = {sequence = position, replaced = not known and struct.pack('<d', time) .. entry.identity}
end
`

const RECORDS = `
local function note (rows, time)
  if #rows == 0 then return end
  local bytes = tonumber(redis.call('HGET', meta, 'journal_bytes') or 0)
  for _, row in ipairs(rows) do
    local id = redis.call('HINCRBY', meta, 'journal_ids', 1)
    redis.call('XADD', journal, text(id) .. '-0', 'f', row.facts, 'r', row.raw, 'w', text(row.weight), 't', text(time))
    bytes = bytes + row.weight
  end
  while bytes > journal_limit do
    local oldest = redis.call('XRANGE', journal, '-', '+', 'COUNT', 1)[1]
    if not oldest then break end
    redis.call('XDEL', journal, oldest[1])
    bytes = bytes - tonumber(oldest[2][6])
  end
  redis.call('HSET', meta, 'journal_bytes', text(bytes))
end
-- Only at the end of the queue: one that a clock once dated into the future waits for a compaction.
local function prune (most)
  for _ = 1, most do
    local oldest = redis.call('LINDEX', ages, 0)
    if not oldest or struct.unpack('<d', oldest) >= known_before then return end
    redis.call('LPOP', ages)
    local key = string.sub(oldest, 9)
    local record = redis.call('HGET', pushes, key)
    if record and struct.unpack('<d', record, 9) < known_before then redis.call('HDEL', pushes, key) end
  end
end
`

const DECIDE = `
local function refusal (push, current)
  local record = redis.call('HGET', pushes, push.key)
  if record then
    local length = string.byte(record, 17)
    if string.sub(record, 18, 17 + length) ~= push.fingerprint then return {'reused'} end
    return {'seen', text(struct.unpack('<d', record, 1)), string.sub(record, 18 + length)}
  end
  local moved = nil
  local answer = {'moved'}
  for _, entry in ipairs(push.entries) do
    if not current[entry.name] then
      local head = tonumber(redis.call('ZSCORE', heads, entry.name) or 0)
      current[entry.name] = {sequence = head}
      if head ~= entry.expected then
        moved = answer
        if head > 0 then
          answer[#answer + 1] = text(head)
          answer[#answer + 1] = facts_of(redis.call('HGET', log, text(head)))
        end
      end
    end
  end
  if moved then return moved end
  if push.sequence > 0 and push.sequence <= sequence then return {'late', text(sequence)} end
  if push.id ~= '' and redis.call('HEXISTS', given, push.id) == 1 then return {'taken'} end
  return nil
end
local function commit (push)
  local current = {}
  local refused = refusal(push, current)
  if refused then return refused end
  local first = 0
  if #push.entries > 0 then
    first = push.sequence > 0 and push.sequence or sequence + 1
    sequence = first + #push.entries - 1
    redis.call('HSET', meta, 'sequence', text(sequence), 'mark', string.sub(push.entries[#push.entries].body, 1, 4))
    if push.id ~= '' then redis.call('HSET', given, push.id, text(first)) end
    for i, entry in ipairs(push.entries) do put(entry, first + i - 1, current, push.time) end
  end
  redis.call('HSET', pushes, push.key, struct.pack('<dd', first, push.time) .. string.char(#push.fingerprint) .. push.fingerprint .. push.outcome)
  redis.call('RPUSH', ages, struct.pack('<d', push.time) .. push.key)
  note(push.journal, push.time)
  return {'committed', text(first)}
end
`

/** A log that is filed by another rule, or is about to be: what came under this one nobody would file anew. */
const REFUSE_OTHERS = `
local files_by = next_arg()
local filed_by = string.gsub(m[9], '^%z' .. string.rep('.', 36), '')
if files_by ~= '' and filed_by ~= '' and filed_by ~= files_by then return {'filed'} end
`

/** By what this node files ('' for nothing), how many pushes, from when on records are kept, the bound of the journal; then the pushes. */
export const COMMIT = writing(
  ['meta', 'epochs', 'log', 'heads', 'of', 'kept', 'collections', 'identities', 'pushes', 'ages', 'journal', 'channels', 'places', 'filed', 'given', 'tombstones'],
  PREAMBLE, REFUSE_OTHERS, 'local count, known_before, journal_limit = next_number(), next_number(), next_number()',
  NUMBERS, ARGUMENTS, CHANNELS, ENTRIES, RECORDS, DECIDE, `
local results = {'ok', state}
for _ = 1, count do results[#results + 1] = commit(read_push()) end
prune(3 * count)
-- What the caller has seen of the log from now on.
if sequence > tonumber(m[4]) then state[2], state[8] = text(sequence), redis.call('HGET', meta, 'mark') end
return results
`)
