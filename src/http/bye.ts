/** A stream that is not opened for a reason that passes: any status but 200 would close a browser's EventSource for good. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { byeFrame } from '../sync/frames.ts'
import { acceptsEventStream, startEventStream } from './sse.ts'

export function asksForStream ({ method, url, headers }: IncomingMessage): boolean {
  return method === 'GET' && /\/sync\/stream(\?|$)/.test(url!) && acceptsEventStream(headers.accept)
}

/** @param seconds after which the client may come back */
export function refuseStream (request: IncomingMessage, response: ServerResponse, seconds: number): void {
  startEventStream(request, response)
  response.end(byeFrame('overloaded', seconds * 1000, null))
}
