import { Type } from '@sinclair/typebox'
import { EpochId, kind, message } from './common.ts'

/** Why a checkpoint cannot be continued from. */
export const ResyncReason = Type.Unsafe<'checkpoint-ahead' | 'epoch-changed' | 'compacted' | 'scope-changed'>({
  type: 'string',
  enum: ['checkpoint-ahead', 'epoch-changed', 'compacted', 'scope-changed']
})

export const Resync = message('Resync', {
  type: kind('resync'),
  reason: ResyncReason,
  checkpoint: Type.Ref('Checkpoint'),
  epoch: EpochId
}, 'Everything from this checkpoint follows; when hasMore is false drop what did not come, except your own unsent changes.')
