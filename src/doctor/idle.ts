/** How long something on the way bears silence: that of a stream between heartbeats, and that of a long poll. */
import { objectOf, problemCode, seconds, words } from './answer.ts'
import { pullText } from './access.ts'
import { ask, type Heard } from './ask.ts'
import { note, ok, problem } from './finding.ts'
import type { Finding } from './finding.ts'
import type { Site } from './site.ts'
import type { Hello, Watched } from './watch.ts'

/** A heartbeat may be late by so much before something else than the server is to blame. */
export const LATE = 2500

/** @param watched a stream that was held for longer than a heartbeat, unless something ended it */
export function idle ({ heard, hello, pings, bye, lastMs, nudgeMs, helloMs }: Watched): Finding {
  const { heartbeatMs } = hello!
  const { end, endMs } = heard!
  const beat = seconds(heartbeatMs)
  if (bye !== null) return note('idle', `the server itself ended the stream after ${seconds(endMs)}: ${bye}`)
  if (end === 'ended' || end === 'cut' || end === 'failed') {
    const silence = seconds(endMs - (lastMs ?? 0))
    return pings.length === 0
      ? problem('idle', `a stream was cut after ${silence} of silence, before its heartbeat of ${beat}`, { advice: [...apart(heartbeatMs)], remedy: 'idle' })
      : problem('idle', `a stream was cut after ${seconds(endMs)} in spite of its heartbeats`, { advice: ['Something limits how long an answer may take in all: lift that for /sync/stream, or set', 'limits.streamMs below it.'], remedy: 'idle' })
  }
  const due = (nudgeMs ?? helloMs ?? 0) + heartbeatMs + LATE
  if (pings.length === 0 && endMs > due) return problem('idle', `no heartbeat came within ${seconds(endMs)}, though the server sends one every ${beat}`, { advice: ['Something on the way holds events back.'], remedy: 'buffering' })
  if (pings.length === 0) return note('idle', `alive after ${seconds(endMs)}, too short for a heartbeat of ${beat}`)
  return ok('idle', `a stream bore ${beat} of silence and was alive after ${seconds(endMs)}`)
}

function apart (heartbeatMs: number): string[] {
  return [`Every reader reconnects each time. Bear more than two heartbeats${heartbeatMs > 5000 ? ', or set heartbeatInterval lower' : ''}:`]
}

/** Where a log ends. */
type Place = Pick<Hello, 'checkpoint' | 'epoch'>

/** Of a log longer than so many pages nobody finds the end without a stream. */
const PAGES = 100

/** What hello says where there is a stream; null when it cannot be found. */
export async function endOfLog (site: Site): Promise<Place | null> {
  let place: Partial<Place> = {}
  for (let page = 0; page < PAGES; page++) {
    const heard = await ask(site, { path: '/sync/pull', method: 'POST', body: pullText(site.now(), { ...place, limit: 1000 }) })
    const { checkpoint, epoch, hasMore } = objectOf(heard) ?? {}
    if (heard.status !== 200 || typeof checkpoint !== 'object' || checkpoint === null || typeof epoch !== 'string') return null
    if (hasMore !== true) return { checkpoint, epoch }
    place = { checkpoint, epoch }
  }
  return null
}

/** A pull that has nothing to say for so long. */
export async function pollLong (site: Site, { checkpoint, epoch }: Place, waitMs: number): Promise<Heard> {
  return await ask(site, { path: '/sync/pull', method: 'POST', body: pullText(site.now(), { checkpoint, epoch, waitMs }), timeoutMs: waitMs + site.timeoutMs })
}

export function longPoll (heard: Heard, waitMs: number): Finding {
  const { status, endMs, end } = heard
  const after = seconds(endMs)
  if (status === 200 && end === 'ended' && objectOf(heard)?.['type'] === 'pull-response') {
    return endMs >= waitMs * 0.9
      ? ok('long poll', `was silent for ${after} and answered`)
      : note('long poll', `was answered after ${after}, though nothing had changed`)
  }
  const code = problemCode(heard)
  if (code !== null) return note('long poll', `the server answered ${code} after ${after}`)
  return problem('long poll', `was cut after ${after} of ${seconds(waitMs)}: ${words(heard)}`, { advice: ['Clients that get no streams wait in silence for so long.'], remedy: 'idle' })
}
