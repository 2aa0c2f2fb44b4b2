/** Asking Redis about itself: in a cluster that is the node where the log lies. */
import { WITHOUT_STATE } from './common.ts'
import { reading, writing } from '../layout.ts'

export const CHECK = reading(['meta'], WITHOUT_STATE, `
return {redis.call('INFO', 'persistence'), redis.call('INFO', 'memory'), redis.call('HLEN', meta)}
`)

/** Whether Redis takes writes again. */
export const PROBE = writing(['meta'], WITHOUT_STATE, `
if redis.call('EXISTS', meta) == 1 then redis.call('HSET', meta, 'probed', ARGV[1]) end
return {}
`)
