/** Opening: creates the log where there is none and begins an epoch. */
import { writing } from '../layout.ts'
import { WITHOUT_STATE } from './common.ts'

/**
 * ARGV[4]: '1' where an epoch begins in any case, else only under another run of Redis. Then a new epoch's id, the time,
 * the secret and the name of a log that is to be created.
 */
export const OPEN = writing(['meta', 'epochs', 'log', 'heads', 'pushes', 'journal'], WITHOUT_STATE, `
local always, epoch, now, secret, id = next_arg(), next_arg(), next_arg(), next_arg(), next_arg()
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local m = redis.call('HMGET', meta, 'log', 'run', 'moving', 'sequence', 'layout')
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
if always == '1' or m[2] ~= run then
  redis.call('RPUSH', epochs, epoch .. ' ' .. text(tonumber(m[4]) + 1) .. ' ' .. now)
  redis.call('HSET', meta, 'run', run)
end
return {'ok'}
`)
