/** Whether a browser lets the pages of an origin use the server. */
import { words } from './answer.ts'
import { ask, type Heard } from './ask.ts'
import { ok, problem, skipped } from './finding.ts'
import type { About, Finding } from './finding.ts'
import type { Site } from './site.ts'

export interface CorsAsked {
  readonly origin: string
  readonly preflight: Heard
  readonly actual: Heard
  /** Of a path that is not there: pages must be able to read errors too. */
  readonly refusal: Heard
}

/** What clients send. A wildcard does not cover Authorization. */
const WANTED = ['authorization', 'content-type', 'last-event-id']

export async function askAcross (site: Site, origin: string): Promise<CorsAsked> {
  const [preflight, actual, refusal] = await Promise.all([
    ask(site, { path: '/sync/push', method: 'OPTIONS', as: 'nobody', headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': WANTED.join(',') } }),
    ask(site, { path: '/sync/info', headers: { origin } }),
    ask(site, { path: '/sync/pocket-doctor', headers: { origin } })
  ])
  return { origin, preflight, actual, refusal }
}

const list = (heard: Heard, header: string): string[] => (heard.headers.get(header) ?? '').toLowerCase().split(',').map(part => part.trim()).filter(part => part !== '')

/** @returns what is wrong with the header that lets the origin in; null for nothing */
function wrongOrigin (heard: Heard, origin: string): { text: string, about: About } | null {
  const found = list(heard, 'access-control-allow-origin')
  if (found.length > 1) return { text: 'Access-Control-Allow-Origin comes twice, and browsers take neither', about: { advice: ['The server sets it already.'], remedy: 'cors' } }
  if (found[0] === '*' || found[0] === origin.toLowerCase()) return null
  const advice = [`Start the server with --cors-origin ${origin}, and let nothing on the way change its answers.`]
  return { text: found.length === 0 ? 'Access-Control-Allow-Origin is missing' : `Access-Control-Allow-Origin is ${found[0]!.slice(0, 60)}`, about: { advice } }
}

export function cors (asked: CorsAsked | null): Finding {
  if (asked === null) return skipped('CORS', 'not asked: --origin https://app.example tries it')
  const { origin, preflight, actual, refusal } = asked
  const parts = [['the preflight', preflight], ['GET /sync/info', actual], ['an error', refusal]] as const
  for (const [what, heard] of parts) {
    const wrong = wrongOrigin(heard, origin)
    if (wrong !== null) return problem('CORS', `${what}: ${wrong.text}`, wrong.about)
  }
  if (preflight.status === null || preflight.status >= 300) return problem('CORS', `the preflight answers ${words(preflight)}`, { advice: ['Let OPTIONS pass without a credential.'] })
  const allowed = list(preflight, 'access-control-allow-headers')
  const missing = WANTED.filter(name => !allowed.includes(name) && !(allowed.includes('*') && name !== 'authorization'))
  if (missing.length > 0) return problem('CORS', `Access-Control-Allow-Headers of the preflight lacks ${missing.join(', ')}`, { advice: ['Leave preflights to the server: --cors-origin.'] })
  const methods = list(preflight, 'access-control-allow-methods')
  if (methods.length > 0 && !methods.includes('post') && !methods.includes('*')) return problem('CORS', 'Access-Control-Allow-Methods of the preflight lacks POST', { advice: ['Leave preflights to the server: --cors-origin.'] })
  return ok('CORS', `pages of ${origin} may use it`)
}
