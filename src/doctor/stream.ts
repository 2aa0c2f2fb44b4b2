/** Whether live changes arrive as they happen, and with the header they were sent with. */
import { mediaOf, milliseconds, seconds, words } from './answer.ts'
import { ask, type Heard } from './ask.ts'
import { note, ok, problem } from './finding.ts'
import type { Finding } from './finding.ts'
import type { Site } from './site.ts'
import { NUDGE, streamPath } from './watch.ts'
import type { Watched } from './watch.ts'

const late = ['Live changes reach nobody in time; clients fall back to long polls.']

const name = 'stream'

export function stream (watched: Watched): Finding {
  const { hello, helloMs, nudgeMs, bye } = watched
  if (hello !== null && helloMs !== null) {
    if (bye !== null) return note(name, `the server ended it at once: ${bye}`)
    if (nudgeMs === null || nudgeMs - helloMs > NUDGE) return problem(name, `hello came after ${milliseconds(helloMs)}, and then nothing: something holds each event until the next`, { advice: late, remedy: 'buffering' })
    if (nudgeMs > 5 * NUDGE) return problem(name, `hello took ${seconds(helloMs)}`, { advice: late, remedy: 'buffering' })
    return nudgeMs === helloMs
      ? ok(name, `hello with what follows it after ${milliseconds(helloMs)}`)
      : ok(name, `hello after ${milliseconds(helloMs)}, what follows it ${milliseconds(nudgeMs - helloMs)} later`)
  }
  return silent(watched)
}

/** No hello came in time. */
function silent ({ head, heard }: Watched): Finding {
  const status = head?.status ?? null
  const isCut = heard !== null && heard.end !== 'late' && heard.end !== 'endless' && heard.endMs > NUDGE
  // What holds a stream back until something loses patience with both.
  if (isCut && (status === null || status === 200 || status >= 502)) return problem(name, `nothing arrived for ${seconds(heard.endMs)}, and then it was cut: something on the way holds streams back`, { advice: late, remedy: 'buffering' })
  if (status !== null && status !== 200) return problem(name, `GET /sync/stream answers ${words(heard ?? head!)}`, { advice: ['Every status but 200 ends a browser\'s EventSource for good.'] })
  if (heard !== null && heard.end !== 'late') return problem(name, `GET /sync/stream: no hello, but ${words(heard)}`, { advice: late })
  const media = head === null ? 'text/event-stream' : mediaOf(head)
  if (media !== 'text/event-stream') return problem(name, `is ${media || 'without a content-type'}, not text/event-stream`, { advice: ['A proxy answers in the place of the server, or changes Content-Type.'] })
  return problem(name, `nothing arrived within ${seconds(heard?.endMs ?? 0)}: something on the way holds streams back until they end`, { advice: late, remedy: 'buffering' })
}

/** What the server sends with streams and with everything else that is nobody else's business. */
export function headers (streamHead: Heard, info: Heard): Finding {
  const control = (heard: Heard): string[] => (heard.headers.get('cache-control') ?? '').toLowerCase().split(',').map(part => part.trim())
  for (const [what, heard, wanted] of [['the stream', streamHead, ['no-store', 'no-transform']], ['/sync/info', info, ['no-store']]] as const) {
    const found = control(heard)
    if (wanted.every(word => found.includes(word)) && !found.some(word => /^(public|s-maxage|max-age=[1-9])/.test(word))) continue
    const said = heard.headers.get('cache-control')
    return problem('headers', `Cache-Control of ${what} is ${said === undefined ? 'gone' : JSON.stringify(said.slice(0, 80))}, sent was "${wanted.join(', ')}"`, { advice: ['Caches on the way and in browsers may keep what is private.'], remedy: 'cache-control' })
  }
  if (!info.headers.has('x-content-type-options')) return note('headers', 'X-Content-Type-Options is gone: browsers may take a document for a script', { advice: ['Let the headers of /sync/ pass unchanged.'] })
  return ok('headers', 'arrive as they were sent')
}

export function cookies (answers: readonly Heard[]): Finding {
  const found = answers.map(({ headers }) => headers.get('set-cookie')).find(value => value !== undefined)
  if (found === undefined) return ok('cookies', 'none')
  // Its value is a secret of whoever set it.
  const name = /^[\w.-]{1,40}/.exec(found)?.[0] ?? 'one'
  return note('cookies', `something on the way sets one (${name}): answers with a cookie are not cached`, { advice: ['Sticky sessions are not needed: any node answers anything.'], remedy: 'cookies' })
}

/** The header of a stream that is asked for as browsers do. */
export async function askCompressed (site: Site): Promise<Heard> {
  const enough = new AbortController()
  let head: Heard | undefined
  const heard = await ask(site, {
    path: streamPath(),
    headers: { accept: 'text/event-stream', 'accept-encoding': 'gzip, deflate, br, zstd' },
    signal: enough.signal,
    onHead (found) {
      head = found
      enough.abort()
    }
  })
  return head ?? heard
}

export function compression (heard: Heard): Finding {
  if (heard.status !== 200) return problem('compression', `a stream for a browser answers ${words(heard)}`)
  const coding = heard.headers.get('content-encoding')
  if (coding === undefined || coding === 'identity') return ok('compression', 'streams are left alone')
  return problem('compression', `streams are compressed on the way (${coding.slice(0, 20)})`, {
    advice: ['It costs memory for each stream, may hold events back, and lets the size of one document tell of another.'],
    remedy: 'compression'
  })
}
