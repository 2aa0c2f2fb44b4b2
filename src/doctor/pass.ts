/** Whether requests of every kind reach the server, and its refusals come back as they were sent. */
import { problemCode, words } from './answer.ts'
import { ask, type Heard, type Question } from './ask.ts'
import { ok, problem } from './finding.ts'
import type { Finding } from './finding.ts'
import type { Remedy } from './mends.ts'
import { NOBODYS } from './site.ts'
import type { Site } from './site.ts'
import { streamPath } from './watch.ts'

interface Probe {
  readonly question: Question
  /** @returns whether only the server can have answered so */
  readonly isOurs: (heard: Heard) => boolean
  readonly remedy?: Remedy
}

function refusal (...codes: readonly string[]): Probe['isOurs'] {
  return heard => codes.includes(problemCode(heard) ?? '')
}

function allows ({ status, headers }: Heard, ...methods: readonly string[]): boolean {
  const allow = (headers.get('allow') ?? '').split(',').map(word => word.trim())
  return status !== null && methods.every(method => allow.includes(method))
}

const nobody = ['not_authenticated', 'not_loopback', 'rate_limited']

const probes: readonly Probe[] = [
  { question: { path: '/sync/pocket-doctor' }, isOurs: refusal('not_found'), remedy: 'errors' },
  { question: { path: '/sync/push' }, isOurs: heard => problemCode(heard) === 'method_not_allowed' && allows(heard, 'POST'), remedy: 'errors' },
  { question: { path: '/sync/info', method: 'OPTIONS' }, isOurs: heard => heard.status === 204 && allows(heard, 'GET', 'OPTIONS') },
  { question: { path: '/sync/info', method: 'HEAD' }, isOurs: heard => heard.status === 200 && heard.body.length === 0 },
  { question: { path: '/sync/info', headers: { 'sync-protocol': '999' } }, isOurs: refusal('protocol_unsupported'), remedy: 'errors' },
  { question: { path: '/sync/info?access_token=none' }, isOurs: refusal('token_in_query'), remedy: 'errors' },
  { question: { path: `/sync/history/${NOBODYS}/a%2Fb` }, isOurs: heard => heard.status === 200 || problemCode(heard) !== null, remedy: 'encoded-slash' }
]

export async function askProbes (site: Site): Promise<Heard[]> {
  return await Promise.all(probes.map(({ question }) => ask(site, question)))
}

/** @param heard the answers to `probes`, in their order */
export function paths (heard: readonly Heard[]): Finding {
  const wrong = probes.flatMap((probe, i) => probe.isOurs(heard[i]!) ? [] : [{ probe, heard: heard[i]! }])
  const worst = wrong.find(({ heard }) => !isUnanswered(heard)) ?? wrong[0]
  if (worst === undefined) return ok('paths', 'methods, queries and errors arrive unchanged')
  const { probe: { question: { path, method = 'GET' }, remedy } } = worst
  const others = wrong.filter(one => one !== worst).map(({ probe: { question }, heard }) => `So does ${question.method ?? 'GET'} ${question.path}: ${words(heard)}.`)
  const text = `${method} ${path} answers ${words(worst.heard)}`
  if (isUnanswered(worst.heard)) return problem('paths', text, { advice: ['Other requests were answered, so the server is there: look how busy it is, and ask again.', ...others] })
  return problem('paths', text, {
    advice: ['Something on the way answers or changes what the server says: clients cannot tell what to do next.', ...others],
    ...remedy !== undefined && { remedy }
  })
}

/** Nothing came in time, or something on the way says that nothing came to it. */
function isUnanswered ({ status, end }: Heard): boolean {
  return status === null || status === 502 || status === 503 || status === 504 || end === 'late'
}

/** A place to go on from that no server takes. */
export async function askResume (site: Site): Promise<Heard> {
  return await ask(site, { path: streamPath(), headers: { accept: 'text/event-stream', 'last-event-id': 'pocket-doctor' }, onData: () => true })
}

export function resume (heard: Heard): Finding {
  const code = problemCode(heard)
  if (code === 'invalid_cursor') return ok('resume', 'Last-Event-ID arrives: streams go on where they were cut')
  if (heard.status === 200) return problem('resume', 'Last-Event-ID does not arrive: a reconnected stream misses what came meanwhile', { remedy: 'last-event-id' })
  if (code !== null && nobody.includes(code)) return problem('resume', `could not be tried: ${code}`)
  return problem('resume', `a wrong Last-Event-ID is answered ${words(heard)}, not the server's own 400`, isUnanswered(heard) ? {} : { remedy: 'errors' })
}
