import { Type } from '@sinclair/typebox'
import { kind, message } from './common.ts'

export const StreamTicket = message('StreamTicket', {
  type: kind('ticket'),
  ticket: Type.String({ minLength: 1, maxLength: 512, description: 'Goes into the URL of one GET /sync/stream, as ?ticket=….' }),
  expiresInMs: Type.Integer({ minimum: 1, description: 'After this time it opens nothing.' })
}, 'Opens one stream for who cannot send headers: a browser\'s EventSource.')
