/** What a soak saw, and what is said of it. */
import { readFileSync } from 'node:fs'
import { lineChart, type Panel } from './line-chart.ts'
import { median } from './stats.ts'
import { SETTLING, trend, type Point, type Trend } from './trend.ts'

export interface SoakSample {
  readonly minute: number
  /** MiB. */
  readonly rss: number
  readonly heap: number
  readonly wal: number
  readonly file: number
  readonly descriptors: number
  /** ms. */
  readonly push50: number
  readonly push99: number
  readonly pull99: number
  readonly arrival: number
  readonly delay: number
  /** Mean time of an echo by a server that has nothing else to do: how slow the machine is just then. */
  readonly echo: number
  /** µs per acknowledged change, everything that was read meanwhile included. */
  readonly cpu: number
}

export interface SoakResults {
  readonly date: string
  readonly command: string
  readonly minutes: number
  readonly samples: readonly SoakSample[]
  /** How it ended: what the replicas held, or what failed. */
  readonly end: string
  readonly failed: boolean
}

interface Quantity {
  readonly key: Exclude<keyof SoakSample, 'minute'>
  readonly label: string
  readonly unit: string
  /** A rise that never matters; absent: shown, not judged. */
  readonly slack?: number
  /** A time, judged as it would be were the machine equally slow throughout. */
  readonly time?: true
}

const quantities: readonly Quantity[] = [
  { key: 'push50', label: 'Push, median', unit: 'ms', slack: 1, time: true },
  { key: 'push99', label: 'Push, p99', unit: 'ms', slack: 8, time: true },
  { key: 'arrival', label: 'Push to stream, p99', unit: 'ms', slack: 8, time: true },
  { key: 'pull99', label: 'Pull, p99', unit: 'ms', slack: 8, time: true },
  { key: 'delay', label: 'Event loop delay, p99', unit: 'ms', slack: 5, time: true },
  { key: 'heap', label: 'Heap after collection', unit: 'MiB', slack: 4 },
  { key: 'rss', label: 'Resident memory', unit: 'MiB', slack: 16 },
  { key: 'descriptors', label: 'Descriptors', unit: 'open', slack: 8 },
  { key: 'file', label: 'File', unit: 'MiB', slack: 8 },
  { key: 'wal', label: 'WAL', unit: 'MiB', slack: 8 },
  { key: 'cpu', label: 'CPU per change, reads included', unit: 'µs', slack: 100 },
  { key: 'echo', label: 'An idle echo beside it, mean', unit: 'ms' }
]

export type Verdict = Quantity & { readonly trend: Trend }

export function verdicts (samples: readonly SoakSample[]): Verdict[] {
  return quantities.map(quantity => ({ ...quantity, trend: trend(judgedOf(samples, quantity), quantity.slack ?? Infinity) }))
}

function judgedOf (samples: readonly SoakSample[], quantity: Quantity): Point[] {
  const usual = median(samples.map(({ echo }) => echo))
  return pointsOf(samples, quantity).map(({ minute, value }, index) => ({ minute, value: quantity.time === true ? value * usual / samples[index]!.echo : value }))
}

const pointsOf = (samples: readonly SoakSample[], { key }: Quantity) => samples.map(sample => ({ minute: sample.minute, value: sample[key] }))
const short = (value: number): string => Number.isFinite(value) ? String(Number(value.toPrecision(3))) : '–'

/** "flat at 3.1 ms (+0.2)": typical, and the rise over what was judged. */
export function verdictText ({ unit, trend: { typical, rise, creeps } }: Verdict): string {
  return creeps ? `creeps: +${short(rise)} at ${short(typical)} ${unit}` : `flat at ${short(typical)} ${unit} (${rise < 0 ? '−' : '+'}${short(Math.abs(rise))})`
}

export const creeping = (samples: readonly SoakSample[]): Verdict[] => verdicts(samples).filter(({ slack, trend }) => slack !== undefined && trend.creeps)

/** @throws Error when there are none */
export function readSoak (folder: string): SoakResults {
  return JSON.parse(readFileSync(`${folder}/soak.json`, 'utf8')) as SoakResults
}

export function soakChart ({ date, command, minutes, samples, end, failed }: SoakResults): string {
  const found = verdicts(samples)
  const bad = creeping(samples)
  const panels = found.map((verdict): Panel => ({
    label: verdict.label,
    unit: verdict.unit,
    points: pointsOf(samples, verdict),
    verdict: verdict.slack === undefined ? 'not judged: how slow the machine is' : verdictText(verdict),
    ...verdict.slack !== undefined && { state: verdict.trend.creeps ? 'missed' : 'met' }
  }))
  const judged = panels.filter(({ state }) => state !== undefined).length
  const title = `Mixed load for ${minutes} min: ${failed ? 'failed' : bad.length === 0 ? 'nothing creeps' : `${bad.length} of ${judged} creep`}`
  return lineChart({
    title,
    description: `${end}. ${found.map(verdict => `${verdict.label}: ${verdictText(verdict)}`).join('; ')}`,
    legend: [`${command} on ${date.slice(0, 10)}. ${end}.`, 'Judged is what lies right of the dotted line, by the median slope: a rise that is more than chance and more than a fifth creeps.', 'Times count in proportion to those of an echo that has nothing else to do.'],
    from: (samples[Math.floor(samples.length * SETTLING)]?.minute ?? 0),
    panels
  })
}
