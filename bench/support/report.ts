/** What was measured, as a table for people. */
import { median, type Rounds } from './stats.ts'

export interface Row {
  readonly work: string
  /** What is counted: `documents/s`, `pushes/s`, `ms`, … */
  readonly unit: string
  readonly ours: number
  /** With what it is compared, and its figure in the same unit. */
  readonly limit: string
  readonly limitValue: number
  /** ours / limit, the median over the rounds. */
  readonly ratio: number
  /** Absent: for information only. */
  readonly bar?: number
  readonly aim?: number
  /** Bar and aim are upper bounds, as of times and costs. */
  readonly lowerIsBetter?: boolean
  /** CPU of the server per counted thing, µs. */
  readonly cpuMicros?: number
  /** The same of what it is compared with. */
  readonly limitCpuMicros?: number
  /** Share of one core that the load generator used at most. */
  readonly generator?: number
  /** The same of the database that the server uses. */
  readonly database?: number
}

export interface Compared<Name extends string> {
  readonly rounds: Rounds<Name>
  readonly ours: Name
  readonly limit: Name
}

/** A row that compares the rates of two contenders. */
export function rateRow<Name extends string> (row: Pick<Row, 'work' | 'unit' | 'limit' | 'bar' | 'aim'>, { rounds, ours, limit }: Compared<Name>): Row {
  const generators = rounds.flatMap(round => [round[ours].generator, round[limit].generator]).filter(share => share !== undefined)
  return {
    ...row,
    ours: median(rounds.map(round => round[ours].rate)),
    limitValue: median(rounds.map(round => round[limit].rate)),
    ratio: median(rounds.map(round => round[ours].rate / round[limit].rate)),
    cpuMicros: median(rounds.map(round => round[ours].cpuMicros)),
    limitCpuMicros: median(rounds.map(round => round[limit].cpuMicros)),
    ...generators.length > 0 && { generator: Math.max(...generators) }
  }
}

/** What a row with a bar or an aim shows; '' without. */
export function verdict ({ ratio, bar, aim, lowerIsBetter = false }: Row): string {
  const reaches = (bound: number | undefined): boolean => bound !== undefined && (lowerIsBetter ? ratio <= bound : ratio >= bound)
  if (bar === undefined) return aim === undefined ? '' : reaches(aim) ? 'aim reached' : 'below aim'
  if (!reaches(bar)) return 'MISSED'
  return reaches(aim) ? 'met, and the aim' : 'met'
}

const header = ['work', 'ours', 'compared with', 'its figure', 'ratio', 'bar', 'aim', 'result', 'CPU µs', 'its CPU µs', 'generator', 'database']

function cells (row: Row): string[] {
  const sign = row.lowerIsBetter === true ? '≤ ' : '≥ '
  const bound = (value: number | undefined): string => value === undefined ? '' : sign + figure(value)
  return [
    row.work, `${figure(row.ours)} ${row.unit}`, row.limit, figure(row.limitValue), figure(row.ratio), bound(row.bar), bound(row.aim), verdict(row),
    row.cpuMicros === undefined ? '' : figure(row.cpuMicros),
    row.limitCpuMicros === undefined ? '' : figure(row.limitCpuMicros),
    row.generator === undefined ? '' : `${Math.round(row.generator * 100)} %`,
    row.database === undefined ? '' : `${Math.round(row.database * 100)} %`
  ]
}

/** As people read it; a dash for what could not be measured. */
export function figure (value: number): string {
  if (!Number.isFinite(value)) return '–'
  if (value >= 1e6) return `${(value / 1e6).toPrecision(3)} M`
  if (value >= 1e4) return `${(value / 1e3).toPrecision(3)} k`
  if (value >= 1e3) return String(Math.round(value))
  return String(Number(value.toPrecision(2)))
}

export function tableText (rows: readonly Row[]): string {
  const lines = [header, ...rows.map(cells)]
  const widths = header.map((_, column) => Math.max(...lines.map(line => line[column]!.length)))
  return lines.map(line => line.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd()).join('\n')
}

export function markdownTable (rows: readonly Row[]): string {
  return [header, header.map(() => '---'), ...rows.map(cells)].map(line => `| ${line.join(' | ')} |`).join('\n')
}
