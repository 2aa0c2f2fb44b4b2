/** Short questions. */
import { dropping, reading } from '../layout.ts'
import { PREAMBLE } from './common.ts'

export const STATE = reading(['meta', 'epochs', 'log'], PREAMBLE, "return {'ok', state}")

export const SECRET = reading(['meta', 'epochs', 'log'], PREAMBLE, "return {'ok', state, redis.call('HGET', meta, 'secret')}")

/** Name and identity ('' for none) of each document. */
export const HEADS = reading(['meta', 'epochs', 'log', 'heads', 'identities'], PREAMBLE, `
local answers = {'ok', state}
while at < #ARGV do
  local name, identity = next_arg(), next_arg()
  local head = redis.call('ZSCORE', heads, name)
  local value = head and redis.call('HGET', log, head)
  answers[#answers + 1] = head and text(tonumber(head)) or '0'
  answers[#answers + 1] = value and facts_of(value) or ''
  answers[#answers + 1] = identity ~= '' and redis.call('HGET', identities, identity) or ''
end
return answers
`)

/** As many of these entries as are not too much at once: how much that is, and their sequences. */
export const ENTRIES = reading(['meta', 'epochs', 'log'], PREAMBLE, `
local left = next_number()
local answers = {'ok', state}
while at < #ARGV and left >= 0 do
  local value = redis.call('HGET', log, next_arg()) or ''
  left = left - #value
  answers[#answers + 1] = value
end
return answers
`)

/** A document's entries below a sequence: its name, where to begin (0: at the head), below what, how many. */
export const HISTORY = reading(['meta', 'epochs', 'log', 'heads'], PREAMBLE, `
local name, from, before, limit, left = next_arg(), next_number(), next_number(), next_number(), next_number()
local answers = {'ok', state, '0'}
local position = from
if from == 0 then
  position = tonumber(redis.call('ZSCORE', heads, name) or 0)
  -- Whoever pages asks below an entry of this document: no need to walk down to it again.
  local value = before < position and redis.call('HGET', log, text(before))
  if value and name_of(value) == name then position = previous_of(value) end
end
for _ = 1, 1000 do
  if position == 0 or limit == 0 or left < 0 then break end
  local value = redis.call('HGET', log, text(position))
  if not value then position = 0 break end
  if position < before then
    answers[#answers + 1] = text(position)
    answers[#answers + 1] = value
    limit = limit - 1
    left = left - #value
  end
  position = previous_of(value)
end
answers[3] = text(limit == 0 and 0 or position)
return answers
`)

/** Kept entries after a sequence: that, how many, how much. Up to where it looked comes first: 0 for the end. */
export const SINCE = reading(['meta', 'epochs', 'log', 'heads', 'kept'], PREAMBLE, `
local after, limit, left = next_arg(), next_number(), next_number()
local found = {}
for _, key in ipairs({heads, kept}) do
  local members = redis.call('ZRANGEBYSCORE', key, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
  for i = 2, #members, 2 do found[#found + 1] = tonumber(members[i]) end
end
table.sort(found)
local answers = {'ok', state, '0'}
for i = 1, math.min(#found, limit) do
  local value = redis.call('HGET', log, text(found[i]))
  left = left - #value
  answers[#answers + 1] = text(found[i])
  answers[#answers + 1] = value
  if left < 0 and i < #found then
    answers[3] = text(found[i])
    break
  end
end
return answers
`)

/** The sequence of an id that a caller chose; '' when it is none. */
export const GIVEN = reading(['meta', 'epochs', 'log', 'given'], PREAMBLE, "return {'ok', state, redis.call('HGET', given, next_arg()) or ''}")

/** Where to begin, how many: names of those that have a head, and where to go on. */
export const COLLECTIONS = reading(['meta', 'epochs', 'log', 'collections', 'of'], PREAMBLE, `
local found = redis.call('HSCAN', collections, next_arg(), 'COUNT', 500)
local answers = {'ok', state, found[1]}
for i = 1, #found[2], 2 do
  local number = tonumber(found[2][i + 1])
  local first = redis.call('ZRANGEBYLEX', of, '[' .. struct.pack('>I4', number), '(' .. struct.pack('>I4', number + 1), 'LIMIT', 0, 1)
  if #first > 0 then answers[#answers + 1] = found[2][i] end
end
return answers
`)

/** Below which id, how many, how much; of which collection and document ('' for any), and whether these are asked. */
export const JOURNAL = reading(['meta', 'epochs', 'log', 'journal'], PREAMBLE, `
local before, count = next_arg(), next_number()
local answers = {'ok', state}
local left = next_number()
for _, row in ipairs(redis.call('XREVRANGE', journal, before, '-', 'COUNT', count)) do
  answers[#answers + 1] = row[1]
  answers[#answers + 1] = row[2][2]
  answers[#answers + 1] = row[2][4]
  left = left - tonumber(row[2][6])
  if left < 0 then break end
end
return answers
`)

export const DISCARD = dropping(['meta', 'epochs', 'log', 'journal'], PREAMBLE, `
local bytes, gone = tonumber(redis.call('HGET', meta, 'journal_bytes') or 0), 0
while at < #ARGV do
  local id = next_arg() .. '-0'
  local row = redis.call('XRANGE', journal, id, id)[1]
  if row then
    bytes = bytes - tonumber(row[2][6])
    gone = gone + 1
    redis.call('HSET', meta, 'journal_bytes', text(bytes))
    redis.call('XDEL', journal, id)
  end
end
return {'ok', state, gone}
`)
