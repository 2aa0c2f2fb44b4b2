import { Type } from '@sinclair/typebox'
import { kind, message } from './common.ts'

export const Ping = message('Ping', {
  type: kind('ping'),
  checkpoint: Type.Ref('Checkpoint'),
  tokenExpiresInMs: Type.Optional(Type.Integer({ minimum: 0 }))
}, 'Heartbeat; its checkpoint also passes what you may not see.')
