import { Type, type Static } from '@sinclair/typebox'
import { ClientId, CollectionName, DocumentId, JsonObject, Operation, Sequence, Timestamp, kind, message, nullable } from './common.ts'

const userId = nullable(Type.String(), 'Who wrote it; null where the server does not know.')
const clientId = nullable(ClientId, 'The replica that wrote it; null where it did not say.')

export const Version = message('Version', {
  sequence: Sequence,
  operation: Operation,
  document: nullable(JsonObject, 'The whole document; null of a deletion.'),
  timestamp: Timestamp,
  serverTimestamp: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'When the server committed it, by its own clock.' }),
  userId,
  clientId,
  address: nullable(Type.String(), 'Where it came from; null where the server does not know.')
}, 'A version of a document that is still kept.')

export const JournalRow = message('JournalRow', {
  id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
  status: Type.Unsafe<'conflict' | 'rejected'>({ type: 'string', enum: ['conflict', 'rejected'] }),
  code: Type.String({ description: 'From the error catalogue, or by which rule it lost.' }),
  raw: Type.String({ description: 'The change as it came, as text. It may be no JSON, and what was refused for being dangerous still is: show it, do not parse it.' }),
  messageId: Type.String({ description: 'Of the push that brought it.' }),
  serverTimestamp: Timestamp,
  userId,
  clientId
}, 'A change that was not taken over: the loser of a conflict, or a refused one.')

export const History = message('History', {
  type: kind('history'),
  collection: CollectionName,
  documentId: DocumentId,
  versions: Type.Array(Type.Ref('Version'), { description: 'Newest first; none of a document that does not exist, or that you may not read.' }),
  hasMore: Type.Boolean({ description: 'Older versions are kept: ask with before = the last sequence.' }),
  journal: Type.Array(Type.Ref('JournalRow'), { description: 'Newest first.' }),
  journalHasMore: Type.Boolean({ description: 'There are older rows: ask with journalBefore = the last id.' })
}, 'A document\'s versions, and beside them what was not taken over of it.')

export type History = Omit<Static<typeof History>, 'versions' | 'journal'> & { versions: Array<Static<typeof Version>>, journal: Array<Static<typeof JournalRow>> }
