/** Ready JSON text, written straight to the response. */
import type { ServerResponse } from 'node:http'
import type { Services } from './services.ts'

export interface Answer {
  readonly body: string
  readonly cacheControl: string
  readonly status?: number
  /** Names and values in turn. */
  readonly headers?: readonly string[]
}

export function sendJson ({ draining }: Services, response: ServerResponse, { status = 200, body, cacheControl, headers }: Answer): void {
  const head = [
    'content-type', 'application/json',
    'cache-control', cacheControl,
    'x-content-type-options', 'nosniff',
    'content-length', String(Buffer.byteLength(body))
  ]
  if (headers !== undefined) head.push(...headers)
  if (draining.aborted) head.push('connection', 'close')
  response.writeHead(status, head)
  response.end(body)
}
