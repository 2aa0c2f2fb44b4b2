import { Type } from '@sinclair/typebox'
import { kind, message } from './common.ts'

const ByeReason = Type.Unsafe<'max-duration' | 'token-expired' | 'token-revoked' | 'scope-changed' | 'shutdown' | 'overloaded'>({
  type: 'string',
  enum: ['max-duration', 'token-expired', 'token-revoked', 'scope-changed', 'shutdown', 'overloaded']
})

export const Bye = message('Bye', {
  type: kind('bye'),
  reason: ByeReason,
  retryMs: Type.Integer({ minimum: 1000, description: 'Reconnect after this time.' }),
  checkpoint: Type.Ref('Checkpoint')
}, 'Last event of a stream that the server ends.')
