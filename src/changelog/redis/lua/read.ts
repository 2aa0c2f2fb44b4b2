/** A page: the newest entry per document after a position, in order, from one snapshot. */
import { reading } from '../layout.ts'
import { PREAMBLE } from './common.ts'

/**
 * The least position, rows and bytes at most, from where on rows say how they were filed ('' for not at all); how many
 * collections (-1: all) and the name and position of each; how many channels (-1: not by channels) and their names.
 */
const QUERY = `
local least, limit, bytes, filed_after = next_number(), next_number(), next_number(), tonumber(next_arg())
local starts, walks = nil, {}
local collections_asked = next_number()
if collections_asked >= 0 then starts = {} end
for _ = 1, collections_asked do
  local name = next_arg()
  starts[name] = next_number()
end
local channels_asked, wanted, names = next_number(), {}, {}
for i = 1, channels_asked do
  names[i] = next_arg()
  wanted[names[i]] = true
end
`

/** Each walk is a range of a set; the next few rows of all of them are merged by position. */
const WALKS = `
local function add_lex (key, prefix, after, read)
  walks[#walks + 1] = {from = '(' .. prefix .. after, key = key, to = '(' .. struct.pack('>I4', struct.unpack('>I4', prefix) + 1), read = read}
end
local function next_rows (walk, count)
  if walk.ended then return {} end
  local rows = {}
  if walk.to then
    local members = redis.call('ZRANGEBYLEX', walk.key, walk.from, walk.to, 'LIMIT', 0, count)
    for i, member in ipairs(members) do rows[i] = walk.read(member) end
    if #members > 0 then walk.from = '(' .. members[#members] end
  else
    local members = redis.call('ZRANGEBYSCORE', heads, walk.from, '+inf', 'WITHSCORES', 'LIMIT', 0, count)
    for i = 2, #members, 2 do rows[i / 2] = {position = tonumber(members[i]), member = 1} end
    if #members > 0 then walk.from = '(' .. members[#members] end
  end
  walk.ended = #rows < count
  return rows
end
local function head_of (member) return {position = struct.unpack('>d', member, 5), member = 1} end
local function place_of (member)
  local position, inside = struct.unpack('>dB', member, 5)
  return {position = position, member = inside, name = string.sub(member, 14)}
end
local function by_position (a, b) return a.position < b.position end
-- The next rows of all walks: none that is missing lies below the last of them. Rows are fetched where none is waiting;
-- of many walks few each at first.
local looked = 0
local function merge (count)
  local rows, bound = {}, math.huge
  looked = looked + #walks / 10
  for _, walk in ipairs(walks) do
    if not walk.waiting or walk.at > #walk.waiting then
      walk.waiting, walk.at = next_rows(walk, walk.waiting and count or math.min(count, math.max(2, math.ceil(256 / #walks)))), 1
      looked = looked + #walk.waiting
    end
    if not walk.ended then bound = math.min(bound, walk.waiting[#walk.waiting].position) end
  end
  for _, walk in ipairs(walks) do
    local waiting, at = walk.waiting, walk.at
    while at <= #waiting and waiting[at].position <= bound do
      rows[#rows + 1] = waiting[at]
      at = at + 1
    end
    walk.at = at
  end
  table.sort(rows, by_position)
  return rows, bound
end
`

const SIGHT = `
-- Where a document stands for a reader of these channels: visible at its newest row, or removed there.
local function seen (name)
  local filing = redis.call('HGET', filed, name) or ''
  local from, newest, visible = 1, 0, 0
  while from <= #filing do
    local position, member, length = struct.unpack('<dBI4', filing, from)
    if wanted[string.sub(filing, from + 13, from + 12 + length)] then
      newest = math.max(newest, position)
      visible = math.max(visible, member)
    end
    from = from + 13 + length
  end
  return newest, visible
end
local last = 0
local function row_of (found)
  if not found.name then return found.position, found.member end
  local collection = collection_of(found.name)
  local start = least
  if starts then start = starts[collection] end
  if found.position == last or not start or found.position <= start then return nil end
  if found.member == 1 then return found.position, 1 end
  -- Only the newest row counts: an older one is a leave that a return, or a later leave, has overtaken.
  local newest, visible = seen(found.name)
  if newest ~= found.position then return nil end
  return tonumber(redis.call('ZSCORE', heads, found.name)), visible
end
`

const PAGE = `
local scanned, rows, size = '', 0, 0
local answers = {'ok', state, ''}
local function page ()
  local step = math.min(limit + 1, channels_asked >= 0 and 16 or 64)
  while true do
    local found, bound = merge(step)
    for _, place in ipairs(found) do
      local head, member = row_of(place)
      if head then
        if rows > 0 and (rows >= limit or size > bytes) then return text(last) end
        local value = redis.call('HGET', log, text(head))
        last = place.position
        rows = rows + 1
        size = size + #value - text_from(value)
        answers[#answers + 1] = text(place.position)
        answers[#answers + 1] = text(head)
        answers[#answers + 1] = tostring(member)
        answers[#answers + 1] = value
        answers[#answers + 1] = filed_after and redis.call('HGET', filed, name_of(value)) or ''
      end
    end
    if bound == math.huge then return text(sequence) end
    -- A page of which little is visible ends here, and the next one goes on.
    if looked > 10000 then return text(bound) end
    step = math.min(step * 2, 256)
  end
end
if least < sequence then
  if channels_asked >= 0 then
    for name in pairs(wanted) do
      local number = redis.call('HGET', channels, name)
      if number then add_lex(places, struct.pack('>I4', tonumber(number)), struct.pack('>d', least) .. '\\255', place_of) end
    end
  elseif starts then
    for name, start in pairs(starts) do
      local number = redis.call('HGET', collections, name)
      if number then add_lex(of, struct.pack('>I4', tonumber(number)), struct.pack('>d', start), head_of) end
    end
  else
    walks[1] = {from = '(' .. text(least)}
  end
  answers[3] = page()
else
  answers[3] = text(sequence)
end
return answers
`

export const READ = reading(['meta', 'epochs', 'log', 'heads', 'of', 'collections', 'channels', 'places', 'filed'], PREAMBLE, QUERY, WALKS, SIGHT, PAGE)
