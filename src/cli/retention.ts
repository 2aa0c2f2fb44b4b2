/** How long what is no longer current stays, as the program's options say it. */
import { defaultRetention, type Retention } from '../config.ts'
import { UsageError } from './exit.ts'

const UNITS: ReadonlyMap<string, number> = new Map([['d', 86_400_000], ['h', 3_600_000], ['m', 60_000], ['s', 1000]])
const FOR_EVER = 'forever'

function spoken (ms: number): string {
  for (const [unit, length] of UNITS) if (ms % length === 0) return `${ms / length}${unit}`
  return `${ms / 1000}s`
}

/** The same for the server and for `compact`, so that both drop the same. */
export const retentionOptions = {
  history: { type: 'string', value: '<time>', env: 'POCKET_HISTORY', default: spoken(defaultRetention.history), summary: 'keep superseded versions so long: 30d, 12h, 0, forever' },
  tombstones: { type: 'string', value: '<time>', env: 'POCKET_TOMBSTONES', default: spoken(defaultRetention.tombstones), summary: 'keep tombstones, identities so long; at least --history' },
  journal: { type: 'string', value: '<time>', env: 'POCKET_JOURNAL', default: spoken(defaultRetention.journal), summary: 'keep losers of conflicts and refused changes so long' },
  pushes: { type: 'string', value: '<time>', env: 'POCKET_PUSHES', default: spoken(defaultRetention.pushes), summary: 'keep records of pushes, which tell repeats, so long' }
} as const

/** @throws UsageError naming the option */
export function retentionOf (options: Readonly<Record<keyof typeof retentionOptions, string>>): Retention {
  const { history, tombstones, journal, pushes } = options
  return { history: duration('--history', history), tombstones: duration('--tombstones', tombstones), journal: duration('--journal', journal), pushes: duration('--pushes', pushes) }
}

/** A time like 30d, 12h, 15m or 30s in ms; NaN for anything else. */
export function spanOf (text: string): number {
  const [, number, unit] = /^(\d{1,9})([dhms])$/.exec(text) ?? []
  return Number(number) * UNITS.get(unit ?? '')!
}

/** ms */
function duration (name: string, text: string): number {
  if (text === FOR_EVER) return Infinity
  const ms = text === '0' ? 0 : spanOf(text)
  if (!Number.isFinite(ms)) throw new UsageError(`${name} is a time like 30d, 12h, 15m or 30s, 0 or ${FOR_EVER}, not "${text}"`)
  return ms
}
