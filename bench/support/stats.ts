/** Figures of one machine at one moment say little; ratios of neighbours in time say more. */

/** What one slice of a measurement gave. */
export interface Sample {
  /** Operations (or documents) a second. */
  readonly rate: number
  /** CPU of the measured process per operation, µs. */
  readonly cpuMicros: number
  /** Share of one core that the load generator used; absent where there is none. */
  readonly generator?: number
}

export type Contenders<Name extends string> = Readonly<Record<Name, () => Promise<Sample>>>
export type Rounds<Name extends string> = ReadonlyArray<Readonly<Record<Name, Sample>>>

export function median (values: readonly number[]): number {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** All contenders in turn, round by round and every other round backwards, so that a busy moment hits each alike. */
export async function interleave<Name extends string> (rounds: number, contenders: Contenders<Name>): Promise<Rounds<Name>> {
  const results: Array<Record<Name, Sample>> = []
  const names = Object.keys(contenders) as Name[]
  for (let round = 0; round < rounds; round++) {
    const result = {} as Record<Name, Sample>
    for (const name of round % 2 === 0 ? names : names.toReversed()) result[name] = await contenders[name]()
    results.push(result)
  }
  return results
}

/** The median over the rounds of what each round says of itself. */
export function medianOf<Name extends string> (rounds: Rounds<Name>, figure: (round: Rounds<Name>[number]) => number): number {
  return median(rounds.map(figure))
}
