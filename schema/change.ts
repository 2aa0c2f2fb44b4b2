import { Type, type Static } from '@sinclair/typebox'
import { DocumentId, JsonObject, Operation, Sequence, Timestamp, message, nullable } from './common.ts'

export const Change = message('Change', {
  operation: Operation,
  documentId: DocumentId,
  document: Type.Optional(nullable(JsonObject, 'The whole document; null or absent with delete.')),
  timestamp: Timestamp,
  sequence: Type.Optional(Type.Integer({ description: 'In a push the client\'s own counter, which orders the changes of the message and means nothing else; in a page the entry\'s place in the log.' })),
  base: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'In a push: the sequence of the version that was edited; 0 for a document the client believes new.' }))
}, 'One operation on one document.')

export type Change = Static<typeof Change>

export const EntryChange = message('EntryChange', {
  operation: Operation,
  documentId: DocumentId,
  document: nullable(JsonObject, 'The whole document; null with delete.'),
  timestamp: Timestamp,
  sequence: Sequence
}, 'An accepted change, with its sequence.')

export type EntryChange = Static<typeof EntryChange>
