/** Whether a quantity creeps: a rise that is both more than chance and more than little. */
import { median } from './stats.ts'

export interface Point { readonly minute: number, readonly value: number }

export interface Trend {
  /** The median of what was judged. */
  readonly typical: number
  /** From the beginning to the end of what was judged, along the line of the median slope (Theil and Sen). */
  readonly rise: number
  readonly creeps: boolean
}

/** The first part of a run fills caches and is not judged. */
export const SETTLING = 1 / 3
/** Of the typical value, a rise that matters. */
const SHARE = 0.2
/** Mann and Kendall's: by chance one run in a hundred comes this far. */
const SIGNIFICANT = 2.33

/** @param slack a rise that never matters, in the unit of the values */
export function trend (points: readonly Point[], slack: number): Trend {
  const judged = points.slice(Math.floor(points.length * SETTLING))
  const pairs = judged.flatMap((later, index) => judged.slice(0, index).map(earlier => (later.value - earlier.value) / (later.minute - earlier.minute)))
  const count = judged.length
  const score = pairs.reduce((sum, slope) => sum + Math.sign(slope), 0)
  const deviation = Math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
  const rise = median(pairs) * ((judged.at(-1)?.minute ?? 0) - (judged[0]?.minute ?? 0))
  const typical = median(judged.map(({ value }) => value))
  return { typical, rise, creeps: score / deviation > SIGNIFICANT && rise > Math.max(slack, typical * SHARE) }
}
