/** How far the server's clock and this machine's are apart. */
import { milliseconds, objectOf, seconds } from './answer.ts'
import type { Heard } from './ask.ts'
import { note, ok, problem, skipped } from './finding.ts'
import type { Finding } from './finding.ts'

export interface Tick {
  /** This machine's clock when the question went out and when the answer was in, ms since 1970. */
  readonly asked: number
  readonly answered: number
  /** The server's in between. */
  readonly told: number
  /** How much the server's may be off what it told: a Date header has whole seconds. */
  readonly grain: number
}

/** @param heard a page, whose timestamp no proxy touches, or anything with a Date */
export function tickOf (heard: Heard, asked: number, answered: number): Tick | null {
  const stamp = objectOf(heard)?.['timestamp']
  if (typeof stamp === 'number' && Number.isFinite(stamp)) return { asked, answered, told: stamp, grain: 0 }
  const date = Date.parse(heard.headers.get('date') ?? '')
  return Number.isNaN(date) ? null : { asked, answered, told: date + 500, grain: 500 }
}

/** Server minus this machine: half of the round trip counted, of the quickest. */
export function offsetOf (ticks: readonly Tick[]): { ms: number, give: number } | null {
  const best = [...ticks].sort((a, b) => a.answered - a.asked - (b.answered - b.asked))[0]
  if (best === undefined) return null
  const { asked, answered, told, grain } = best
  return { ms: told - (asked + answered) / 2, give: (answered - asked) / 2 + grain }
}

/** Tokens are judged with so much tolerance. */
const TOKENS = 5000
/** Times further ahead are clamped (DESIGN 5). */
const CLAMPED = 60_000

export function clock (ticks: readonly Tick[]): Finding {
  const offset = offsetOf(ticks)
  if (offset === null) return skipped('clock', 'no answer says what time it is there')
  const apart = Math.max(0, Math.abs(offset.ms) - offset.give)
  const where = offset.ms > 0 ? 'ahead of' : 'behind'
  if (apart <= 1000) return ok('clock', `within ${milliseconds(Math.abs(offset.ms) + offset.give)} of this machine's`)
  const text = `the server's is ${seconds(apart)} ${where} this machine's`
  const advice = ['One of the two is wrong: run an NTP client (chrony, systemd-timesyncd) on both.']
  if (apart > CLAMPED) return problem('clock', text, { advice: ['Tokens are refused, and edits win or lose against others by the wrong time.', ...advice] })
  return apart > TOKENS ? problem('clock', text, { advice: ['Tokens are refused too early or too late.', ...advice] }) : note('clock', text, { advice })
}
