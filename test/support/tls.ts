/** A server that speaks TLS, and one connection of HTTP/2 to it. */
import { readFileSync } from 'node:fs'
import { connect } from 'node:http2'
import type { ClientHttp2Session, IncomingHttpHeaders, IncomingHttpStatusHeader, OutgoingHttpHeaders } from 'node:http2'
import { fileURLToPath } from 'node:url'
import type { PocketServerOptions } from '../../src/config.ts'
import type { TlsOptions } from '../../src/edge.ts'
import { startApp, type Started } from './app.ts'

interface Test { teardown (action: () => unknown): void }

/** Self-signed, for localhost and 127.0.0.1. */
export function pemPath (name: 'localhost' | 'renewed', part: 'key' | 'cert'): string {
  return fileURLToPath(new URL(`../fixtures/${name}-${part}.pem`, import.meta.url))
}

export function tlsOf (name: 'localhost' | 'renewed'): TlsOptions {
  return { key: readFileSync(pemPath(name, 'key')), cert: readFileSync(pemPath(name, 'cert')) }
}

export interface H2Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders & IncomingHttpStatusHeader
  readonly text: string
  readonly json: any
}

export interface TlsStarted extends Started {
  readonly session: ClientHttp2Session
  /** @param headers `:path` and what else differs from GET @param body ends the request; undefined: it has none */
  ask (headers: OutgoingHttpHeaders, body?: string | Buffer): Promise<H2Answer>
}

export async function startTls (t: Test, options: PocketServerOptions = {}): Promise<TlsStarted> {
  const tls = tlsOf('localhost')
  const started = await startApp(t, { tls, ...options })
  const session = connectTo(t, started.url)
  return { ...started, session, ask: (headers, body) => ask(session, headers, body) }
}

export function connectTo (t: Test, url: string): ClientHttp2Session {
  const session = connect(url, { ca: tlsOf('localhost').cert, maxSessionMemory: 100 })
  // What the other side does to it shows in the requests.
  session.on('error', () => {})
  t.teardown(() => session.destroy())
  return session
}

export async function ask (session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string | Buffer): Promise<H2Answer> {
  return await new Promise((resolve, reject) => {
    const stream = session.request(headers, { endStream: body === undefined })
    let text = ''
    let answered: H2Answer['headers'] = {}
    stream.on('response', got => { answered = got })
    stream.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
    stream.on('end', () => resolve({ status: answered[':status']!, headers: answered, text, json: /[/+]json/.test(answered['content-type'] ?? '') ? JSON.parse(text) : undefined }))
    stream.on('error', reject)
    if (body !== undefined) stream.end(body)
  })
}
