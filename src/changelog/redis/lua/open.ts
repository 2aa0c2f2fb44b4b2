/** Opening: creates the log where there is none and begins an epoch. */
import { writing } from '../layout.ts'
import { HISTORY, WITHOUT_STATE } from './common.ts'

/**
 * Epochs in which nothing was written: no entry lies in them, and a cursor that names one starts over. Of such so many
 * are kept; one comes, one may go, so few are looked at.
 */
const PRUNE = `
local function prune ()
  local count = redis.call('LLEN', epochs)
  local from = math.max(0, count - 1010)
  local rows = redis.call('LRANGE', epochs, from, math.max(0, count - 1000))
  for i = 1, #rows - 1 do
    local _, first = epoch_of(rows[i])
    local _, next_first = epoch_of(rows[i + 1])
    if first == next_first then redis.call('LREM', epochs, 1, rows[i]) end
  end
end
`

/**
 * ARGV[5]: '1' where an epoch begins in any case, else only where the log may have lost something. Then a new epoch's
 * id, the time, the secret and the name of a log that is to be created.
 *
 * Under another run of Redis nobody has written yet: the epoch begins where the log ends. A log that went back otherwise
 * may have been written since by nodes that knew less: the epoch covers all that may be another than it was.
 */
export const OPEN = writing(['meta', 'epochs', 'log', 'heads', 'pushes', 'journal'], WITHOUT_STATE, HISTORY, PRUNE, `
local epoch, now, secret, id = next_arg(), next_arg(), next_arg(), next_arg()
local run = run_of_redis()
local m = redis.call('HMGET', meta, 'log', 'run', 'moving', 'sequence', 'layout', 'mark')
if not m[1] then
  if redis.call('EXISTS', epochs, log, heads, pushes, journal) > 0 then return {'damaged'} end
  redis.call('HSET', meta, 'log', id, 'run', run, 'sequence', '0', 'horizon', '0', 'history_horizon', '0',
    'identities_before', '0', 'filing', '', 'filed_by', '', 'layout', '1', 'channels', '0', 'secret', secret, 'created', now)
  redis.call('RPUSH', epochs, epoch .. ' 1 ' .. now)
  return {'ok'}
end
if m[5] ~= '1' then return {'layout', m[5]} end
if m[3] then return {'moving'} end
if redis.call('ZCARD', heads) > redis.call('HLEN', log) or redis.call('LLEN', epochs) == 0 then return {'damaged'} end
local sequence, rows, back = tonumber(m[4]), nil, nil
if ARGV[1] == m[1] and ARGV[2] ~= '' then
  rows = redis.call('LRANGE', epochs, 0, -1)
  back = went_back(rows, sequence, m[6] or '')
  if back and m[2] ~= run and tonumber(ARGV[3]) > sequence then back = nil end
end
local first = sequence + 1
if back then
  first = select(2, epoch_of(rows[back]))
  for i = back + 1, #rows do
    redis.call('LSET', epochs, i - 1, (string.gsub(rows[i], ' %d+ ', ' ' .. text(first) .. ' ', 1)))
  end
end
if back or ARGV[5] == '1' or m[2] ~= run then
  redis.call('RPUSH', epochs, epoch .. ' ' .. text(first) .. ' ' .. now)
  redis.call('HSET', meta, 'run', run)
  prune()
end
return {'ok'}
`)
