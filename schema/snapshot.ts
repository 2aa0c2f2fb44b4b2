import { Type } from '@sinclair/typebox'
import { CollectionName, DocumentId, EpochId, JsonObject, Sequence, Timestamp, kind, message } from './common.ts'

export const SnapshotStart = message('SnapshotStart', {
  type: kind('snapshot'),
  epoch: EpochId,
  checkpoint: Type.Ref('Checkpoint')
}, 'First line of a snapshot: the checkpoint that its last line will hand out. To go on behind a line: after=<sequence>~e<epoch>[~c<checkpoint.scope>]~s<checkpoint.global>.')

export const SnapshotDocument = message('SnapshotDocument', {
  type: kind('document'),
  collection: CollectionName,
  documentId: DocumentId,
  document: JsonObject,
  timestamp: Timestamp,
  sequence: Sequence
}, 'A line of a snapshot: a live document as it stands. Sequences rise from line to line.')

export const SnapshotEnd = message('SnapshotEnd', {
  type: kind('snapshot-end'),
  epoch: EpochId,
  checkpoint: Type.Ref('Checkpoint')
}, 'Last line of a snapshot: it is whole, and pulls go on from this checkpoint. Without it the snapshot was cut short.')
