import { Type, type Static } from '@sinclair/typebox'
import { DocumentId, EpochId, JsonObject, MessageId, Sequence, Timestamp, kind, message, nullable } from './common.ts'
import { EntryChange } from './change.ts'

export const ChangeError = message('ChangeError', {
  code: Type.String({ description: 'From the error catalogue.' }),
  detail: Type.String(),
  pointer: Type.Optional(Type.String({ description: 'RFC 6901 pointer into the message.' }))
}, 'Why one change was not taken over.')

export const Result = message('Result', {
  index: Type.Integer({ minimum: 0, description: 'Place of the change in the message.' }),
  documentId: Type.Optional(Type.String()),
  status: Type.Unsafe<'applied' | 'duplicate' | 'merged' | 'conflict' | 'rejected' | 'skipped'>({
    type: 'string',
    enum: ['applied', 'duplicate', 'merged', 'conflict', 'rejected', 'skipped'],
    description: 'Treat one you do not know as rejected.'
  }),
  sequence: Type.Optional(Sequence),
  document: Type.Optional(nullable(JsonObject, 'With merged, and with a duplicate of such a change: what came of it, null when that is a deletion. Take it over with its sequence. Absent where there is too much of it, or it is kept no more: the next pull brings what stands.')),
  error: Type.Optional(Type.Ref('ChangeError'))
}, 'What became of one change. Take it over if its sequence is above your checkpoint; else a page has brought it already, or what replaced it.')

export const Conflict = message('Conflict', {
  documentId: DocumentId,
  serverDocument: nullable(JsonObject, 'What stands; null when it is deleted.'),
  serverChange: Type.Optional(Type.Ref('EntryChange'))
}, 'The version that stood against a change.')

export const PushResponse = message('PushResponse', {
  type: kind('push-response'),
  id: MessageId,
  success: Type.Boolean({ description: 'False when any change is conflict, rejected or skipped.' }),
  checkpoint: Type.Ref('Checkpoint'),
  epoch: EpochId,
  results: Type.Array(Type.Ref('Result')),
  conflicts: Type.Optional(Type.Array(Type.Ref('Conflict'), { description: 'Only when there are any, only documents you may read.' })),
  timestamp: Timestamp
}, 'What became of a push: one result per change, in order.')

export type Result = Omit<Static<typeof Result>, 'error'> & { error?: Static<typeof ChangeError> }
export type ChangeError = Static<typeof ChangeError>
export interface Conflict { documentId: string, serverDocument: Record<string, unknown> | null, serverChange?: Static<typeof EntryChange> }
export interface PushResponse {
  type: 'push-response'
  id: string
  success: boolean
  checkpoint: Record<string, unknown> & { global?: number }
  epoch: string
  results: Result[]
  conflicts?: Conflict[]
  timestamp: number
}
