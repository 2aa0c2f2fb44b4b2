/** What a collection demands of its documents: a JSON Schema, TypeBox's too, or a function of the application. */
import { Ajv } from 'ajv'
import type { AnySchemaObject, ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { AppDocument } from './access.ts'

/** What is wrong with a document. */
export interface Problem {
  /** RFC 6901 JSON pointer into the document. Default: the whole. */
  readonly pointer?: string
  /** One sentence for the client. */
  readonly detail: string
}

type Found = void | null | string | Problem | ReadonlyArray<string | Problem>

/** Nothing, or what is wrong. `previous` is the version that stands; null where none does. What it throws refuses the change and is told to the operator alone. */
export type Validate = (document: AppDocument, previous: AppDocument | null) => Found | Promise<Found>

const is2020 = /\/draft\/2020-12\//
// Strict: a keyword that is misspelled would guard nothing. As everywhere, nothing is coerced, filled in or removed.
const strict = { strict: true, allowUnionTypes: true } as const
const draft07 = new Ajv(strict)
const draft2020 = new Ajv2020(strict)
for (const ajv of [draft07, draft2020]) addFormats.default(ajv)

/** @param name of the option, for errors. @throws TypeError when it is neither a function nor a schema */
export function validatorFrom (given: Validate | object, name: string): Validate {
  if (typeof given === 'function') return given as Validate
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw new TypeError(`${name} must be a JSON Schema or a function`)
  const isValid = compile(given, name)
  return document => {
    if (isValid(document)) return
    const { instancePath = '', keyword, params, message = 'is not what the schema wants' } = isValid.errors?.[0] ?? {}
    if (keyword === 'additionalProperties') return { pointer: instancePath, detail: `has a member that the schema does not know: ${String(params!['additionalProperty']).slice(0, 100)}` }
    if (keyword === 'enum') return { pointer: instancePath, detail: `must be one of ${JSON.stringify(params!['allowedValues']).slice(0, 200)}` }
    return { pointer: instancePath, detail: message }
  }
}

function compile (schema: AnySchemaObject, name: string): ValidateFunction {
  try {
    return (is2020.test(String(schema['$schema'])) ? draft2020 : draft07).compile(schema)
  } catch (cause) {
    throw new TypeError(`${name} is no schema that can be used: ${(cause as Error).message}`, { cause })
  }
}
