/** Whether the credential arrives, and who refuses a wrong one: the server, or something on the way. */
import { problemCode, words } from './answer.ts'
import { ask, type Heard } from './ask.ts'
import { note, ok, problem } from './finding.ts'
import type { Finding } from './finding.ts'
import { isLoopback, NOBODYS } from './site.ts'
import type { Site } from './site.ts'

/** The same question, asked with different credentials. */
export interface Asked {
  /** With the token; without one, as nobody. */
  readonly user: Heard
  readonly nobody: Heard
  readonly stranger: Heard
}

/** As whom the other checks can ask: with the token, as everybody, or not at all. */
export type Access = 'user' | 'everybody' | 'none'

export function pullText (now: number, members: object = {}): string {
  return JSON.stringify({ type: 'pull', id: 'pocket-doctor', timestamp: now, collections: [NOBODYS], checkpoint: { global: 0 }, limit: 1, ...members })
}

export async function askAll (site: Site): Promise<Asked> {
  const pull = (as: 'user' | 'nobody' | 'stranger'): Promise<Heard> => ask(site, { path: '/sync/pull', method: 'POST', as, body: pullText(site.now()) })
  const [user, nobody, stranger] = await Promise.all([pull('user'), pull('nobody'), pull('stranger')])
  return { user, nobody, stranger }
}

export function accessOf ({ user, nobody }: Asked): Access {
  return user.status !== 200 ? 'none' : nobody.status === 200 ? 'everybody' : 'user'
}

export function access (asked: Asked, { url, token }: Pick<Site, 'url' | 'token'>): Finding {
  const { user, nobody, stranger } = asked
  if (nobody.status === 200) return open(asked, { url, token })
  const code = problemCode(nobody)
  if (code === 'not_loopback') return problem('token', 'the server has no authentication and answers its own machine only', { advice: ['Configure authentication, or --open if everybody may read and write everything.'] })
  if (code === 'rate_limited') return problem('token', 'the server has had enough questions of this address', { advice: ['Wait a minute and ask again.'] })
  if (code !== 'not_authenticated') return problem('token', `POST /sync/pull without a token answers ${words(nobody)}, not the server's own 401`, { advice: ['Let POST /sync/pull pass, and leave asking for credentials to the server.'] })
  if (problemCode(stranger) === 'not_authenticated') return problem('token', 'Authorization does not arrive: a proxy takes it away', { remedy: 'authorization' })
  if (problemCode(stranger) !== 'invalid_token') return problem('token', `a wrong token is answered ${words(stranger)}, not the server's own 401`, { advice: ['Let Authorization pass unchanged: only the server knows who may.'] })
  if (token === undefined) {
    return problem('token', 'the server wants to know who asks', { advice: ['Give it as POCKET_TOKEN, --token-file <file> or --token <text>; live changes, caches and', 'large pushes cannot be checked without.'] })
  }
  if (user.status === 200) return ok('token', 'taken; a wrong one, and none, are refused by the server itself')
  if (problemCode(user) === 'invalid_token') return problem('token', 'refused by the server', { advice: ['It has expired, or is of another issuer, audience or key than the server checks.'] })
  return problem('token', `POST /sync/pull with it answers ${words(user)}`)
}

function open ({ stranger, user }: Asked, { url, token }: Pick<Site, 'url' | 'token'>): Finding {
  if (stranger.status === 401 && token === undefined) return note('token', 'who sends none is let in, a wrong one is refused')
  if (user.status !== 200) return problem('token', `none is let in, yours is answered ${words(user)}`)
  if (isLoopback(url)) return ok('token', 'none needed: this server has no authentication')
  return note('token', 'none needed: everybody may read and write everything', { advice: ['Configure authentication, unless that is what you want.'] })
}
