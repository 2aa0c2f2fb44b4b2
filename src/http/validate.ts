/**
 * Whether a message and its changes have the form the schemas give them. Strict: nothing is coerced, filled in
 * or removed, so what a client sent is what is stored.
 */
import { Ajv } from 'ajv'
import type { ErrorObject, ValidateFunction } from 'ajv'
import { Change } from '../../schema/change.ts'
import { PullEnvelope, type PullRequest } from '../../schema/pull.ts'
import { PushEnvelope } from '../../schema/push.ts'
import { SyncError } from '../errors.ts'
import type { ErrorItem } from '../errors.ts'

const ajv = new Ajv({ strict: true, allowUnionTypes: true })
const isPush = ajv.compile<PushEnvelope>(PushEnvelope)
const isPull = ajv.compile<PullRequest>(PullEnvelope)
const isChange = ajv.compile<Change>(Change)

/** @throws SyncError invalid_message naming the place */
export function asPush (value: unknown): PushEnvelope {
  return checked(isPush, value)
}

/** @throws SyncError invalid_message naming the place */
export function asPull (value: unknown): PullRequest {
  return checked(isPull, value)
}

function checked<T> (validate: ValidateFunction<T>, value: unknown): T {
  if (validate(value)) return value
  const { pointer, detail } = firstError(validate.errors)
  throw new SyncError('invalid_message', {
    detail: `${pointer === '' ? 'the message' : pointer} ${detail}`,
    errors: [{ pointer, code: 'invalid_message', detail }]
  })
}

/** Why a change does not have the form a change must have, with a pointer into its message; null when it has. */
export function checkChange (change: unknown, index: number): ErrorItem | null {
  if (isChange(change)) {
    if (change.operation === 'delete' || (change.document !== null && change.document !== undefined)) return null
    return { pointer: `/changes/${index}/document`, code: 'invalid_document', detail: `an ${change.operation} needs a document` }
  }
  const { pointer, detail } = firstError(isChange.errors)
  const member = pointer.slice(1)
  const code = member === 'operation' ? 'invalid_operation' : member === 'document' ? 'invalid_document' : 'invalid_change'
  return { pointer: `/changes/${index}${pointer}`, code, detail }
}

function firstError (errors: readonly ErrorObject[] | null | undefined): { pointer: string, detail: string } {
  const error = errors?.[0]
  if (error === undefined) return { pointer: '', detail: 'is not what is expected' }
  const { instancePath, keyword, params, message } = error
  const detail = message ?? 'is not what is expected'
  if (keyword === 'required') return { pointer: `${instancePath}/${String(params['missingProperty'])}`, detail: 'is missing' }
  if (keyword === 'enum') return { pointer: instancePath, detail: `must be one of ${(params['allowedValues'] as unknown[]).join(', ')}` }
  return { pointer: instancePath, detail }
}
