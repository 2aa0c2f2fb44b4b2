import { Type, type Static } from '@sinclair/typebox'
import { Change } from './change.ts'
import { Checkpoint } from './checkpoint.ts'
import { ClientId, CollectionName, EpochId, MessageId, Timestamp, kind, message } from './common.ts'

const envelope = {
  type: kind('push'),
  id: MessageId,
  timestamp: Timestamp,
  collection: CollectionName,
  checkpoint: Type.Optional(Type.Ref('Checkpoint')),
  epoch: Type.Optional(EpochId),
  clientId: Type.Optional(ClientId),
  atomic: Type.Optional(Type.Boolean({ description: 'Apply all changes or none.', default: false }))
}

export const PushRequest = message('PushRequest', {
  ...envelope,
  changes: Type.Array(Type.Ref('Change'), { description: 'At most as many as the limit changesPerPush of GET /sync/info.' })
}, 'Changes from a client: the unit of retry. Send the same id again until it is answered.')

/**
 * What breaks the whole message. A change of the wrong form condemns itself alone, so its own schema is asked
 * one change at a time (promise 7).
 */
export const PushEnvelope = Type.Object({
  ...envelope,
  checkpoint: Type.Optional(Checkpoint),
  changes: Type.Array(Type.Object({}, { additionalProperties: true }))
}, { additionalProperties: true })

export type PushRequest = Omit<Static<typeof PushEnvelope>, 'changes'> & { changes: Array<Static<typeof Change>> }
export type PushEnvelope = Static<typeof PushEnvelope>
