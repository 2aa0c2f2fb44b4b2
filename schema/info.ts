import { Type } from '@sinclair/typebox'
import { message } from './common.ts'

export const Info = message('Info', {
  name: Type.String(),
  version: Type.String(),
  protocol: Type.Object({ min: Type.Integer(), max: Type.Integer() }),
  features: Type.Array(Type.String()),
  limits: Type.Unsafe<Record<string, number>>({ type: 'object', additionalProperties: { type: 'number' } })
}, 'What this server speaks and allows.')
