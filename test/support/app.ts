/** A real server on a free port, over a log in memory. */
import { connect } from 'node:net'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import type { PocketServerOptions } from '../../src/config.ts'
import { PocketServer } from '../../src/server.ts'
import { reportStalls } from './stalls.ts'

interface Test {
  teardown (action: () => unknown): void
}

export interface Started {
  readonly pocket: PocketServer
  readonly url: string
  readonly port: number
}

/** Ends with the test. */
export async function startApp (t: Test, options: PocketServerOptions = {}): Promise<Started> {
  reportStalls()
  const pocket = new PocketServer({ changeLog: new MemoryChangeLog(), ...options })
  t.teardown(() => pocket.close())
  const { url, port } = await pocket.listen(0)
  return { pocket, url, port }
}

export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: any
}

export async function request (url: string, init?: RequestInit): Promise<Answered> {
  const response = await fetch(url, init)
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: /[/+]json/.test(response.headers.get('content-type') ?? '') && text !== '' ? JSON.parse(text) : undefined }
}

export async function post (url: string, body: unknown, headers: Record<string, string> = {}): Promise<Answered> {
  return await request(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body) })
}

let ids = 0

export interface ChangeLike { documentId: string, operation?: string, document?: unknown, [member: string]: unknown }

/** A push with a new id, inserting by default. */
export function pushOf (collection: string, changes: ChangeLike[], members: object = {}): Record<string, unknown> {
  return {
    type: 'push',
    id: `push-${++ids}`,
    timestamp: Date.now(),
    collection,
    changes: changes.map(change => ({ operation: 'insert', timestamp: Date.now(), document: { _id: change.documentId }, ...change })),
    checkpoint: { global: 0 },
    ...members
  }
}

export function pullOf (members: object = {}): Record<string, unknown> {
  return { type: 'pull', id: `pull-${++ids}`, timestamp: Date.now(), collections: [], checkpoint: { global: 0 }, ...members }
}

/** Sends bytes as they are and collects what comes until the other side ends the connection. */
export function exchangeRaw (port: number, bytes: string | Buffer, { then = '' }: { then?: string } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () => { socket.write(bytes) })
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk
      if (then !== '' && text.includes('\r\n\r\n')) { socket.write(then); then = '' }
    })
    socket.on('error', (error: NodeJS.ErrnoException) => { if (text === '') reject(error); else resolve(text) })
    socket.on('close', () => resolve(text))
  })
}

/** Status, headers (lower-case names) and JSON body of a raw answer. */
export function parseRaw (text: string): { status: number, headers: Map<string, string>, json: any } {
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const [line = '', ...fields] = head.split('\r\n')
  const headers = new Map(fields.map(field => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 1).trim()]))
  const body = Buffer.from(rest.join('\r\n\r\n'), 'latin1').toString()
  return { status: Number(line.split(' ')[1]), headers, json: body.startsWith('{') ? JSON.parse(body) : undefined }
}
