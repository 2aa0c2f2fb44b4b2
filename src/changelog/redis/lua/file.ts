/** Filing documents anew. */
import { writing } from '../layout.ts'
import { NUMBERS, PREAMBLE } from './common.ts'

/** By what the documents are filed from now on; with a filing, that too. ARGV: what it must be before ('' for anything), the name, the filing or ''. */
export const FILED_BY = writing(['meta', 'epochs', 'log'], PREAMBLE, `
local expected, name, filing = next_arg(), next_arg(), next_arg()
if expected ~= '' and m[9] ~= expected then return {'ok', state, 0} end
redis.call('HSET', meta, 'filed_by', name)
if filing ~= '' then redis.call('HSET', meta, 'filing', filing) end
return {'ok', state, 1}
`)

/**
 * Puts documents where they belong, unless they were changed meanwhile: those come again. ARGV: the filing that this
 * makes; name, head and channels of each. @returns whether anything was not as it should be
 */
export const MOVE = writing(['meta', 'epochs', 'log', 'heads', 'channels', 'places', 'filed', 'collections'], PREAMBLE, NUMBERS, `
local filing_id, any = next_arg(), 0
local function move (name, position, wanted)
  local filing = redis.call('HGET', filed, name) or ''
  local rows, from = {}, 1
  while from <= #filing do
    local at_, member, length = struct.unpack('<dBI4', filing, from)
    local channel = string.sub(filing, from + 13, from + 12 + length)
    if member == 1 and wanted[channel] then
      wanted[channel] = nil
      rows[#rows + 1] = string.sub(filing, from, from + 12 + length)
    elseif member == 1 or wanted[channel] then
      redis.call('ZREM', places, channel_place(number_of_channel(channel), at_, member, name))
      any = 1
    else
      rows[#rows + 1] = string.sub(filing, from, from + 12 + length)
    end
    from = from + 13 + length
  end
  for channel in pairs(wanted) do
    redis.call('ZADD', places, 0, channel_place(number_of_channel(channel), position, 1, name))
    rows[#rows + 1] = struct.pack('<dBI4', position, 1, #channel) .. channel
    any = 1
  end
  if #rows > 0 then redis.call('HSET', filed, name, table.concat(rows)) else redis.call('HDEL', filed, name) end
end
redis.call('HSET', meta, 'channels', '1')
while at < #ARGV do
  local name, position = next_arg(), next_number()
  local wanted = {}
  for _ = 1, next_number() do wanted[next_arg()] = true end
  if tonumber(redis.call('ZSCORE', heads, name) or 0) == position then move(name, position, wanted) end
end
if any == 1 then redis.call('HSET', meta, 'filing', filing_id) end
return {'ok', state, any}
`)
