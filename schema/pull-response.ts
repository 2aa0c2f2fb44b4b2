import { Type, type Static } from '@sinclair/typebox'
import type { Checkpoint } from './checkpoint.ts'
import type { EntryChange } from './change.ts'
import { EpochId, MessageId, Timestamp, kind, message } from './common.ts'

export const PullResponse = message('PullResponse', {
  type: kind('pull-response'),
  id: MessageId,
  changes: Type.Unsafe<Record<string, EntryChange[]>>({
    type: 'object',
    additionalProperties: { type: 'array', items: { $ref: 'EntryChange' } },
    description: 'The newest entry per document, by collection; each list ascends, and across lists the sequence orders them.'
  }),
  checkpoint: Type.Ref('Checkpoint'),
  hasMore: Type.Boolean({ description: 'Ask again at once, from this checkpoint. A page may be empty and have more behind it.' }),
  epoch: EpochId,
  timestamp: Type.Optional(Timestamp)
}, 'A page of what changed; also the unnamed event of the stream.')

export type PullResponse = Omit<Static<typeof PullResponse>, 'checkpoint'> & { checkpoint: Checkpoint }
