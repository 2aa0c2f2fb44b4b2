/** What an answer says of itself: ours or something else's, and in words. */
import type { Heard } from './ask.ts'

/** The body as a JSON object; null when it is none. */
export function objectOf ({ body }: Heard): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(body.toString())
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Record<string, unknown> : null
  } catch {
    return null
  }
}

export function mediaOf ({ headers }: Heard): string {
  return (headers.get('content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase()
}

/** The code of a problem of ours that arrived as it was sent; null of anything else. */
export function problemCode (heard: Heard): string | null {
  if (mediaOf(heard) !== 'application/problem+json') return null
  const body = objectOf(heard)
  const code = body?.['code']
  return typeof code === 'string' && body?.['type'] === `urn:sync:problem:${code}` && body['status'] === heard.status ? code : null
}

/** An answer in a few words: "404 text/html", "nothing within 10 s". */
export function words (heard: Heard): string {
  const { status, end, endMs, error } = heard
  if (status === null) return end === 'late' ? `nothing within ${seconds(endMs)}` : explain(error)
  const what = problemCode(heard) ?? (mediaOf(heard) || 'without a content-type')
  const cut = end === 'cut' ? `, cut after ${seconds(endMs)}` : end === 'late' ? `, not over after ${seconds(endMs)}` : end === 'endless' ? ', without end' : ''
  return `${status} ${what.slice(0, 60)}${cut}`
}

export function seconds (ms: number): string {
  return ms >= 9950 ? `${Math.round(ms / 1000)} s` : `${(ms / 1000).toFixed(1)} s`
}

export function milliseconds (ms: number): string {
  return ms >= 1000 ? seconds(ms) : `${Math.round(ms)} ms`
}

const known = new Map([
  ['ENOTFOUND', 'DNS does not know this name'],
  ['EAI_AGAIN', 'DNS does not answer'],
  ['ECONNREFUSED', 'nothing listens there'],
  ['ECONNRESET', 'the connection was cut without an answer'],
  ['EPIPE', 'the connection was cut without an answer'],
  ['ETIMEDOUT', 'the machine does not answer'],
  ['EHOSTUNREACH', 'the machine cannot be reached'],
  ['ENETUNREACH', 'the network cannot be reached'],
  ['HPE_HEADER_OVERFLOW', 'the answer has more than 16 KiB of headers'],
  ['EPROTO', 'what listens there does not speak TLS'],
  ['ERR_HTTP2_ERROR', 'what answers breaks HTTP/2']
])

/** A failed connection in plain words. */
export function explain (error: NodeJS.ErrnoException | null): string {
  const code = error?.code ?? ''
  const found = known.get(code) ?? (code.startsWith('HPE_') ? 'what answers is not HTTP' : code.startsWith('ERR_SSL') ? 'what listens there does not speak TLS' : undefined)
  return found ?? ((error?.message ?? '').slice(0, 100) || 'the connection was cut without an answer')
}
