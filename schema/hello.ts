import { Type } from '@sinclair/typebox'
import { EpochId, kind, message } from './common.ts'

export const Hello = message('Hello', {
  type: kind('hello'),
  protocol: Type.Integer({ minimum: 1 }),
  epoch: EpochId,
  checkpoint: Type.Ref('Checkpoint'),
  head: Type.Ref('Checkpoint'),
  heartbeatMs: Type.Integer({ minimum: 1, description: 'Without a byte for 2.5 times as long the connection is dead.' }),
  maxDurationMs: Type.Integer({ minimum: 1, description: 'The server ends the stream after this time; reconnect.' }),
  tokenExpiresInMs: Type.Optional(Type.Integer({ minimum: 0 }))
}, 'First event of a stream: where it starts and how long it lives.')
