/** Whether something on the way keeps answers and hands them to others: an answer of one user to another is the worst that can happen. */
import { randomUUID } from 'node:crypto'
import { problemCode } from './answer.ts'
import { ask, type Heard, type Question } from './ask.ts'
import type { Access } from './access.ts'
import { ok, problem } from './finding.ts'
import type { Finding } from './finding.ts'
import { NOBODYS } from './site.ts'
import type { Site } from './site.ts'

/** One URL, asked one after the other as different callers; each answer must be that caller's own. */
export interface Series {
  /** What it would mean if an answer were another's. */
  readonly danger: string
  readonly answers: ReadonlyArray<{ readonly heard: Heard, readonly isOwn: boolean }>
}

interface Step {
  readonly ask: Omit<Question, 'path'>
  readonly isOwn: (heard: Heard) => boolean
}

const fine: Step = { ask: {}, isOwn: ({ status }) => status === 200 || status === 304 }
const nobody: Step = { ask: { as: 'nobody' }, isOwn: ({ status }) => status === 401 }
const stranger: Step = { ask: { as: 'stranger' }, isOwn: heard => problemCode(heard) === 'invalid_token' }
/** Without a credential, since many caches keep nothing that was asked with one. */
const open: Step = { ...fine, ask: { as: 'nobody' } }
/** Another answer to the same URL without another credential: a version of the protocol that nobody speaks. */
const other: Step = { ask: { as: 'nobody', headers: { 'sync-protocol': '999' } }, isOwn: ({ status }) => status === 426 }

const kept = 'an answer is kept and handed out again, though it says no-store'
const keptError = 'an error is kept and handed out again: a client that was refused once stays refused'
const leak = 'an answer to one user is handed to others, even to who sends no token'

/** @param hasChanges whether the server has GET /sync/changes */
export async function askTwice (site: Site, access: Access, hasChanges: boolean): Promise<Series[]> {
  const info = (): string => `/sync/info?r=${randomUUID()}`
  const changes = (query = 'since=0'): string => `/sync/changes?collections=${NOBODYS}&${query}&r=${randomUUID()}`
  const asked: Array<Promise<Series>> = [
    series(site, kept, info(), [open, other]),
    series(site, keptError, info(), [other, open])
  ]
  if (hasChanges && access === 'user') {
    asked.push(series(site, leak, changes(), [fine, nobody, stranger]), series(site, keptError, changes(), [nobody, fine, stranger]))
  }
  if (hasChanges && access === 'everybody') asked.push(series(site, kept, changes(), [open, other]), series(site, keptError, changes(), [other, open]))
  if (hasChanges && access !== 'none') asked.push(resync(site, changes))
  return await Promise.all(asked)
}

async function series (site: Site, danger: string, path: string, steps: readonly Step[]): Promise<Series> {
  const answers: Array<Series['answers'][number]> = []
  for (const step of steps) {
    const heard = await ask(site, { ...step.ask, path })
    answers.push({ heard, isOwn: step.isOwn(heard) })
  }
  return { danger, answers }
}

/** Who was told to start over asks again under another URL, and must not be told so again. */
async function resync (site: Site, path: (query: string) => string): Promise<Series> {
  const gone = await ask(site, { path: path('since=1~edoctor') })
  const again = await ask(site, { path: path('since=0') })
  return {
    danger: 'answers are kept without regard to the query: whoever must start over never gets out of it',
    answers: [{ heard: gone, isOwn: gone.status === 410 }, { heard: again, isOwn: again.status === 200 }]
  }
}

/** What caches say of an answer that they had. `X-Varnish` has two numbers then. */
const hits: ReadonlyArray<readonly [header: string, value: RegExp]> = [
  ['x-cache', /\bhit\b/i], ['x-cache-status', /\bhit\b|stale|updating/i], ['x-proxy-cache', /\bhit\b/i], ['cf-cache-status', /\bhit\b|stale|revalidated/i],
  ['cache-status', /;\s*hit\b/i], ['x-varnish', /^\d+ \d+/], ['age', /^[1-9]/]
]

export function caching (all: readonly Series[]): Finding {
  const about = { remedy: 'caching' as const }
  for (const { danger, answers } of all) {
    const [first, ...later] = answers
    // Where the first is not its own, something else is wrong, which other checks tell.
    if (first === undefined || !first.isOwn) continue
    const foreign = later.find(({ heard, isOwn }) => !isOwn && heard.status === first.heard.status && heard.body.equals(first.heard.body))
    if (foreign !== undefined) return problem('caching', danger, about)
  }
  for (const { headers } of all.flatMap(({ answers }) => answers.map(({ heard }) => heard))) {
    const hit = hits.find(([name, value]) => value.test(headers.get(name) ?? ''))
    if (hit !== undefined) return problem('caching', `an answer that is private came out of a cache (${hit[0]}: ${headers.get(hit[0])!.slice(0, 40)})`, about)
  }
  const odd = all.flatMap(({ answers }) => answers).find(({ isOwn }) => !isOwn)
  if (odd !== undefined) return problem('caching', `could not be tried: an answer was ${odd.heard.status ?? 'missing'}`)
  return ok('caching', 'nothing private is kept on the way')
}
