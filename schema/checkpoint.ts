import { Type, type Static } from '@sinclair/typebox'
import { MAX_INTEGER, Sequence, message } from './common.ts'

export const Checkpoint = message('Checkpoint', {
  global: Type.Optional(Sequence),
  snapshot: Type.Optional(Type.Integer({ minimum: 0, maximum: MAX_INTEGER, description: 'While a sync of several pages is under way: the head when a first one began, else where it began.' })),
  head: Type.Optional(Type.String({ pattern: '^(0|[1-9][0-9]{0,15})\\.[a-z0-9]{1,32}$', description: 'Between the pages of one sync: the head that the last one was read under, and its epoch. What was left out of them since it had changed again lies up to there.' })),
  scope: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'Under which rights it was made: when they change, the server asks for a resync.' })),
  sequences: Type.Optional(Type.Unsafe<Record<string, number>>({
    type: 'object',
    additionalProperties: { type: 'integer', minimum: 0, maximum: MAX_INTEGER },
    maxProperties: 1000,
    description: 'One position per collection, for clients that keep them apart.'
  }))
}, 'How far a client has read. Keep it and send it back whole, unknown members too; never move it backwards.')

export type Checkpoint = Static<typeof Checkpoint>
