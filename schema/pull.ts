import { Type, type Static } from '@sinclair/typebox'
import { Checkpoint } from './checkpoint.ts'
import { ClientId, CollectionName, EpochId, MessageId, Timestamp, kind, message } from './common.ts'

const members = {
  type: kind('pull'),
  id: MessageId,
  timestamp: Timestamp,
  collections: Type.Array(CollectionName, { description: 'Empty: all that you may read.' }),
  limit: Type.Optional(Type.Integer({ minimum: 1, description: 'Entries in all; larger ones are lowered to the server\'s maximum.' })),
  epoch: Type.Optional(EpochId),
  clientId: Type.Optional(ClientId),
  waitMs: Type.Optional(Type.Integer({ minimum: 0, description: 'Wait this long for something new, in ms; lowered to the server\'s maximum.' }))
}

export const PullRequest = message('PullRequest', {
  ...members,
  checkpoint: Type.Optional(Type.Ref('Checkpoint'))
}, 'Asks for what changed after a checkpoint.')

/** The same with its parts in place, for the validator. */
export const PullEnvelope = Type.Object({
  ...members,
  checkpoint: Type.Optional(Checkpoint)
}, { additionalProperties: true })

export type PullRequest = Static<typeof PullEnvelope>
