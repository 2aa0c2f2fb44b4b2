/** Whether the streams of all tabs and a push really share one connection of HTTP/2. */
import { connect } from 'node:http2'
import type { ClientHttp2Session } from 'node:http2'
import { ok, problem } from './finding.ts'
import type { Finding } from './finding.ts'
import { pause } from './site.ts'
import type { Site } from './site.ts'
import { HELLO, streamPath } from './watch.ts'

/** More tabs than a browser has connections over HTTP/1.1, and fewer than the streams a user may have. */
const TABS = 8

export interface Crowd {
  /** Streams on which something came. */
  readonly alive: number
  /** Whether a request beside them was answered. */
  readonly isAnswered: boolean
}

export async function crowd (site: Site): Promise<Crowd> {
  const { url, ca, signal, timeoutMs } = site
  const session = connect(url.origin, ca === undefined ? {} : { ca })
  const done = new AbortController()
  // What fails shows in what does not come.
  session.on('error', () => { done.abort() })
  const late = pause(Math.min(HELLO, timeoutMs), AbortSignal.any([signal, done.signal]))
  const patiently = (work: Promise<boolean>): Promise<boolean> => Promise.race([work, late.then(() => false)])
  const alive = await Promise.all(Array.from({ length: TABS }, () => patiently(begins(session, site, streamPath()))))
  const again = pause(Math.min(HELLO, timeoutMs), AbortSignal.any([signal, done.signal]))
  const isAnswered = await Promise.race([begins(session, site, '/sync/info'), again.then(() => false)])
  done.abort()
  session.destroy()
  return { alive: alive.filter(Boolean).length, isAnswered }
}

/** Resolves once the first bytes of the body are in; never when none come. */
async function begins (session: ClientHttp2Session, { url, token }: Site, path: string): Promise<boolean> {
  return await new Promise(resolve => {
    if (session.destroyed) return
    const stream = session.request({ ':path': `${url.pathname === '/' ? '' : url.pathname}${path}`, ...token !== undefined && { authorization: `Bearer ${token}` } })
    stream.on('error', () => {})
    stream.on('data', () => { resolve(true) })
  })
}

export function together ({ alive, isAnswered }: Crowd): Finding {
  if (alive === TABS && isAnswered) return ok('HTTP/2', `${TABS} streams and a request share one connection`)
  const advice = ['Tabs with a stream hold up each other\'s pushes. Apache\'s http2 module answers so few at a time: leave it off,', 'and let nginx, HAProxy or Caddy speak HTTP/2.']
  return problem('HTTP/2', alive < TABS ? `of ${TABS} streams over one connection ${alive} are answered` : `with ${TABS} streams open nothing else is answered`, { advice })
}
