import { Type, type Static, type TSchema } from '@sinclair/typebox'

/** 2^53 − 1: the largest integer that every JSON reader keeps exact. */
export const MAX_INTEGER = Number.MAX_SAFE_INTEGER

export const Sequence = Type.Integer({ minimum: 0, maximum: MAX_INTEGER, description: 'A place in the one order of the change log.' })

export const Timestamp = Type.Integer({ minimum: 0, maximum: MAX_INTEGER, description: 'Milliseconds since 1970-01-01 UTC.' })

export const MessageId = Type.String({
  minLength: 1,
  maxLength: 128,
  pattern: '^[^\\u0000-\\u001f\\u007f]*$',
  description: 'Chosen by the client; the same for every retry of the same message.'
})

export const CollectionName = Type.String({
  pattern: '^(?!__proto__$)[A-Za-z0-9_][A-Za-z0-9_.:-]{0,127}$',
  description: 'The collection a document lives in.'
})

export const DocumentId = Type.String({
  minLength: 1,
  maxLength: 512,
  pattern: '^[^\\u0000-\\u001f\\u007f]*$',
  description: 'The document\'s _id: 1 to 512 bytes of UTF-8 without control characters.'
})

export const ClientId = Type.String({
  minLength: 1,
  maxLength: 128,
  pattern: '^[^\\u0000-\\u001f\\u007f]*$',
  description: 'Which replica writes: a device or a tab. A hint, never an identity.'
})

export const EpochId = Type.String({
  pattern: '^[a-z0-9]{1,32}$',
  description: 'Which stretch of history the checkpoint lies in. Echo it with the checkpoint.'
})

export const Operation = Type.Unsafe<'insert' | 'update' | 'delete'>({
  type: 'string',
  enum: ['insert', 'update', 'delete'],
  description: 'Treat insert and update both as an upsert.'
})

/** A JSON object: what is inside is the application's. */
export const JsonObject = Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true })

/** `type` of a message: required, an enum of one value, which older generators understand as well. */
export function kind<T extends string> (name: T) {
  return Type.Unsafe<T>({ type: 'string', enum: [name] })
}

/** A message or part of one: unknown members are tolerated, so that either side may learn new ones first. */
export function message<T extends Record<string, TSchema>> ($id: string, properties: T, description: string) {
  return Type.Object(properties, { $id, additionalProperties: true, description })
}

export function nullable<T extends TSchema> (schema: T, description: string) {
  return Type.Unsafe<Static<T> | null>({ ...schema, type: [schema.type, 'null'], description })
}
