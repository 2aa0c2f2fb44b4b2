/** Ready JSON text, written straight to the response. */
import type { ServerResponse } from 'node:http'
import { SyncError } from '../errors.ts'
import { codingOf, coderOf } from './coding.ts'
import { etagOf, isKnown } from './etag.ts'
import type { Exchange } from './exchange.ts'
import { SAFE } from './head.ts'
import type { NodeServices } from './services.ts'

export interface Answer {
  readonly body: string | Buffer
  readonly cacheControl: string
  readonly status?: number
  /** Names and values in turn. */
  readonly headers?: readonly string[]
  /** Names of request headers by which answers differ, beside Accept-Encoding. With them it may be asked for again, by its ETag. */
  readonly vary?: string
}

/** Below this many characters a packet is a packet. */
const WORTH_CODING = 1024

/** Coded, where the client takes that and there is something to gain. */
export function sendJson (services: NodeServices, exchange: Exchange, answer: Answer): Promise<void> | void {
  const { body, headers = none, vary } = answer
  if (body.length <= WORTH_CODING && vary === undefined) return write(services, exchange, answer, body)
  const { request, response } = exchange
  const { coding, plain } = codingOf(request.headers['accept-encoding'])
  const used = body.length <= WORTH_CODING && plain ? null : coding
  const varied = [...headers, 'vary', varyOf(response, vary)]
  if (vary !== undefined) {
    // Of what this caller is about to be sent: it confirms no other bytes.
    const etag = etagOf(body, used)
    varied.push('etag', etag)
    if (isKnown(etag, request.headers['if-none-match'])) return writeHead(services, exchange, { ...answer, status: 304, headers: varied })
  }
  if (used === null) return write(services, exchange, { ...answer, headers: varied }, body)
  varied.push('content-encoding', used)
  return coderOf(used).code(body).then(coded => write(services, exchange, { ...answer, headers: varied }, coded))
}

/** Ready bytes stay bytes: as text they would be coded anew for every reader. */
export function joined (before: string, changes: string | Buffer, behind: string): string | Buffer {
  return typeof changes === 'string' ? before + changes + behind : Buffer.concat([Buffer.from(before), changes, Buffer.from(behind)])
}

/** What is set before, by CORS or a host, stays. */
export function varyOf (response: ServerResponse, names?: string): string {
  return [response.getHeader('vary'), names, 'accept-encoding'].filter(name => name !== undefined).join(', ')
}

const none: readonly string[] = []

/** Below this many bytes an answer is out of our hands at once. */
const LARGE = 64 * 1024

/** Attack: large answers that nobody reads. They count among what is in memory until they are out. */
function hold ({ inFlight }: NodeServices, { response, account }: Exchange, bytes: number): void {
  const { stream } = response as { stream?: { destroyed: boolean } }
  if (bytes <= LARGE || (stream?.destroyed ?? response.closed)) return
  const share = inFlight.of(account)
  if (!share.take(bytes)) throw new SyncError('overloaded', { detail: 'Too many large answers wait to be read; what was sent may have taken effect.' })
  response.once('close', () => share.give(bytes))
}

function write (services: NodeServices, exchange: Exchange, answer: Answer, coded: string | Buffer): void {
  const length = Buffer.byteLength(coded)
  hold(services, exchange, length)
  writeHead(services, exchange, answer, ['content-type', 'application/json', 'content-length', String(length)])
  exchange.response.end(coded)
}

/** Without a body of that kind the answer ends here. */
function writeHead ({ draining }: NodeServices, { request, response }: Exchange, { status = 200, cacheControl, headers = none }: Answer, body?: readonly string[]): void {
  const head = [...body ?? none, 'cache-control', cacheControl, ...SAFE, ...headers]
  if (draining.aborted && request.httpVersionMajor < 2) head.push('connection', 'close')
  response.writeHead(status, head)
  if (body === undefined) response.end()
}
