import { Type } from '@sinclair/typebox'
import { Timestamp, message, nullable } from './common.ts'

export const Health = message('Health', {
  status: Type.Unsafe<'ok' | 'degraded'>({ type: 'string', enum: ['ok', 'degraded'] }),
  clients: Type.Integer({ minimum: 0, description: 'Open streams.' }),
  pendingChanges: Type.Integer({ minimum: 0, description: 'Received, not yet committed.' }),
  lastSync: nullable(Timestamp, 'When a push or pull was last answered.'),
  detail: Type.Optional(Type.String({ description: 'What is wrong and what the operator does.' }))
}, 'Whether this node can take writes.')
