/** Whether it is our server that answers, which one, and whether it is well. */
import { mediaOf, objectOf, problemCode, words } from './answer.ts'
import type { Heard } from './ask.ts'
import { note, ok, problem } from './finding.ts'
import type { Finding } from './finding.ts'
import { PROTOCOL_VERSION } from '../../schema/version.ts'
import { shown } from './site.ts'

export interface Info {
  readonly version: string
  readonly features: readonly string[]
  readonly limits: Readonly<Record<string, unknown>>
}

/** GET /sync/info of a server of ours; null of anything else. */
export function infoOf (heard: Heard): Info | null {
  const body = heard.status === 200 && heard.end === 'ended' && mediaOf(heard) === 'application/json' ? objectOf(heard) : null
  const { name, version, protocol, features, limits } = body ?? {}
  if (name !== '@pocket/server' || typeof version !== 'string' || typeof protocol !== 'object' || protocol === null || !Array.isArray(features)) return null
  return { version: version.slice(0, 40), features: features.map(String), limits: typeof limits === 'object' && limits !== null ? { ...limits } : {} }
}

export function numberOf (limits: Info['limits'], name: string, standard: number): number {
  const value = Object.hasOwn(limits, name) ? limits[name] : undefined
  return typeof value === 'number' && value > 0 ? value : standard
}

/** @param heard the answer to GET /sync/info */
export function server (heard: Heard, url: URL): Finding {
  const info = infoOf(heard)
  if (info === null) return problem('server', `GET ${shown(url)}/sync/info answers ${words(heard)}`, { advice: whyNot(heard, url) })
  const { min, max } = objectOf(heard)!['protocol'] as { min: unknown, max: unknown }
  const fits = typeof min === 'number' && typeof max === 'number' && min <= PROTOCOL_VERSION && max >= PROTOCOL_VERSION
  if (!fits) return problem('server', `@pocket/server ${info.version} speaks protocol ${String(min)} to ${String(max)}`, { advice: [`This program speaks ${PROTOCOL_VERSION}: use the one of the server's version.`] })
  return ok('server', `@pocket/server ${info.version}, protocol ${PROTOCOL_VERSION}`)
}

function whyNot (heard: Heard, url: URL): string[] {
  const { status, headers } = heard
  const code = problemCode(heard)
  if (code === 'not_loopback') return ['The server has no authentication and answers its own machine only: configure authentication, or --open.']
  if (code !== null) return [`It is our server, and it refuses: ${code}.`]
  if (status === null) return ['Something listens, but it is not a web server that answers.']
  const target = headers.get('location')
  if (status >= 300 && status < 400 && target !== undefined) {
    return [`It sends to ${target.slice(0, 200)}, which is not followed: a push would lose its body and a token would go elsewhere.`, 'Give the address where it ends, to clients too.']
  }
  if (status === 401 || status === 407) return ['Something on the way asks for a credential of its own: let /sync/ pass, clients send only their token.']
  if (status === 502 || status === 503 || status === 504) return ['The proxy answers, the server behind it does not: is it running, at the address the proxy has?']
  return [`This is not our server. Give the address below which its /sync/info lies: ${url.origin}/api, say;`, 'or let the proxy pass /sync/ and /health on with their paths unchanged.']
}

/** @param heard the answer to GET /health */
export function health (heard: Heard): Finding {
  const body = objectOf(heard)
  const detail = typeof body?.['detail'] === 'string' ? body['detail'].slice(0, 200) : ''
  if (heard.status === 200 && body?.['status'] === 'ok') return ok('health', 'ok')
  if (body?.['status'] === 'degraded') return problem('health', `degraded: ${detail}`)
  return note('health', `GET /health answers ${words(heard)}`, { advice: ['Pass /health on too: load balancers ask it, and some clients.'] })
}
