import { Type } from '@sinclair/typebox'
import { EpochId, message } from './common.ts'
import { ResyncReason } from './resync.ts'

export const Problem = message('Problem', {
  type: Type.String({ description: 'urn:sync:problem:<code>' }),
  title: Type.String(),
  status: Type.Integer({ minimum: 400, maximum: 599 }),
  detail: Type.String({ description: 'What is wrong, where, and what to do next.' }),
  code: Type.String({ description: 'The machine contract, from the error catalogue.' }),
  retryable: Type.Boolean({ description: 'Whether the same message may succeed when sent again.' }),
  id: Type.Optional(Type.String({ description: 'Id of the message that is answered, where it could be read.' })),
  reason: Type.Optional(ResyncReason),
  checkpoint: Type.Optional(Type.Ref('Checkpoint')),
  epoch: Type.Optional(EpochId),
  limit: Type.Optional(Type.Object({ name: Type.String(), max: Type.Integer() })),
  errors: Type.Optional(Type.Array(Type.Object({
    pointer: Type.String(),
    code: Type.String(),
    detail: Type.String()
  })))
}, 'RFC 9457 problem details: the one body of every error.')
