/** Ready JSON text, written straight to the response. */
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { SyncError } from '../errors.ts'
import type { Exchange } from './exchange.ts'
import { SAFE } from './head.ts'
import type { Services } from './services.ts'

export interface Answer {
  readonly body: string
  readonly cacheControl: string
  readonly status?: number
  /** Names and values in turn. */
  readonly headers?: readonly string[]
}

/** Below this many characters a packet is a packet. */
const WORTH_CODING = 1024

/** Coded, where the client takes that and there is something to gain. */
export function sendJson (services: Services, exchange: Exchange, answer: Answer): Promise<void> | void {
  const { body, headers = none } = answer
  if (body.length <= WORTH_CODING) return write(services, exchange, answer, body)
  const coding = codingOf(exchange.request.headers['accept-encoding'])
  // What is set before, by CORS or a host, stays.
  const vary = exchange.response.getHeader('vary')
  const varied = { ...answer, headers: [...headers, 'vary', vary === undefined ? 'accept-encoding' : `${String(vary)}, accept-encoding`] }
  if (coding === null) return write(services, exchange, varied, body)
  varied.headers.push('content-encoding', coding)
  return coders[coding](body).then(coded => write(services, exchange, varied, coded))
}

const none: readonly string[] = []

/** Below this many bytes an answer is out of our hands at once. */
const LARGE = 64 * 1024

/** Attack: large answers that nobody reads. They count among what is in memory until they are out. */
function hold ({ inFlight }: Services, { response, user }: Exchange, bytes: number): void {
  const { stream } = response as { stream?: { destroyed: boolean } }
  if (bytes <= LARGE || (stream?.destroyed ?? response.closed)) return
  const share = inFlight.of(user?.id ?? null)
  if (!share.take(bytes)) throw new SyncError('overloaded', { detail: 'Too many large answers wait to be read; what was sent may have taken effect.' })
  response.once('close', () => share.give(bytes))
}

function write (services: Services, exchange: Exchange, { status = 200, cacheControl, headers }: Answer, coded: string | Buffer): void {
  const { request, response } = exchange
  const length = Buffer.byteLength(coded)
  hold(services, exchange, length)
  const head = [
    'content-type', 'application/json',
    'cache-control', cacheControl,
    ...SAFE,
    'content-length', String(length)
  ]
  if (headers !== undefined) head.push(...headers)
  if (services.draining.aborted && request.httpVersionMajor < 2) head.push('connection', 'close')
  response.writeHead(status, head)
  response.end(coded)
}

type Coding = 'gzip' | 'br'

const zip = promisify<string, object, Buffer>(gzip)
const brotli = promisify<string, object, Buffer>(brotliCompress)

/** Quick rather than small: a page is coded for one reader. */
const coders: Record<Coding, (text: string) => Promise<Buffer>> = {
  gzip: text => zip(text, { level: 3 }),
  br: text => brotli(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 3 } })
}

function codingOf (accept: string | string[] | undefined): Coding | null {
  if (typeof accept !== 'string') return null
  const taken = accept.toLowerCase().split(',').filter(part => !/;\s*q=0(\.0*)?\s*$/.test(part)).map(part => part.split(';', 1)[0]!.trim())
  return taken.includes('gzip') ? 'gzip' : taken.includes('br') ? 'br' : null
}
