/** An HTTP gateway before the server, with answers and limits of its own. */
import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Test {
  teardown (action: () => unknown): void
}

export interface Canned {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface Seen {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Gateway {
  readonly url: string
  /** Every request it took, in order. */
  readonly seen: Seen[]
  /** What it answers itself, first come, first served; with none left, and for null, it asks the server. */
  readonly answers: Array<Canned | null>
  /** Larger bodies get nginx's own 413. */
  maxBody: number
  /** Holds streams back until they end, as a proxy behind a proxy does. */
  buffers: boolean
  /** Answers a URL with what it was answered before, to whomever. */
  keeps: boolean
}

export const badGateway: Canned = { status: 502, headers: { 'content-type': 'text/html' }, body: '<html><h1>502 Bad Gateway</h1></html>' }
const tooLarge: Canned = { status: 413, headers: { 'content-type': 'text/html' }, body: '<html><h1>413 Request Entity Too Large</h1></html>' }

/** Ends with the test. @param target the server's URL */
export async function startGateway (t: Test, target: string): Promise<Gateway> {
  const server = createServer((request, response) => { serve(request, response).catch(() => response.destroy()) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const gateway: Gateway = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen: [], answers: [], maxBody: Infinity, buffers: false, keeps: false }
  const kept = new Map<string, { status: number, headers: IncomingHttpHeaders, body: Buffer }>()
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bytesOf(request)
    gateway.seen.push({ path: request.url!, headers: request.headers, body: body.toString() })
    const canned = body.length > gateway.maxBody ? tooLarge : gateway.answers.shift()
    if (canned !== undefined && canned !== null) response.writeHead(canned.status, canned.headers).end(canned.body)
    else forward(request, response, body)
  }
  const forward = (request: IncomingMessage, response: ServerResponse, body: Buffer): void => {
    const { method, headers } = request
    const known = gateway.keeps ? kept.get(request.url!) : undefined
    if (known !== undefined) {
      response.writeHead(known.status, known.headers).end(known.body)
      return
    }
    const upstream = httpRequest(`${target}${request.url!}`, { method: method!, headers, agent: false }, answer => {
      answer.on('error', () => response.destroy())
      if (gateway.buffers && request.url!.startsWith('/sync/stream')) bytesOf(answer).then(all => response.writeHead(answer.statusCode!, answer.headers).end(all), () => response.destroy())
      else if (gateway.keeps && request.url!.startsWith('/sync/changes')) {
        bytesOf(answer).then(all => {
          kept.set(request.url!, { status: answer.statusCode!, headers: answer.headers, body: all })
          response.writeHead(answer.statusCode!, answer.headers).end(all)
        }, () => response.destroy())
      } else answer.pipe(response.writeHead(answer.statusCode!, answer.headers))
    })
    upstream.on('error', () => response.destroy())
    response.on('close', () => upstream.destroy())
    upstream.end(body)
  }
  return gateway
}

async function bytesOf (message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
