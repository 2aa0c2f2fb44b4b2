/** What the README says of the last runs: never a figure that the committed results do not have. */
import { figure, verdict, type Row } from './report.ts'
import type { Results } from './results.ts'
import { creeping, type SoakResults } from './soak-results.ts'

export function summary ({ date, command, machine, works }: Results, soak: SoakResults): string {
  const rows = works.flatMap(({ rows }) => rows).filter(({ bar }) => bar !== undefined)
  const missed = rows.filter(row => verdict(row) === 'MISSED')
  const failed = works.filter(({ failed }) => failed !== undefined).map(({ name }) => name)
  return [
    `\`${command}\`, ${date.slice(0, 10)}, Node ${machine.node}, ${machine.cores} cores: ${rows.length - missed.length} of ${rows.length} bars are met.`,
    missed.length === 0 ? '' : ` Missed: ${missed.map(miss).join('; ')}.`,
    failed.length === 0 ? '' : ` Failed: ${failed.join(', ')}.`,
    `\n\n\`${soak.command}\`, ${soak.date.slice(0, 10)}: ${soakText(soak)}`
  ].join('')
}

function miss (row: Row): string {
  return `${row.work}, ${figure(row.ratio)} of ${row.limit} (bar ${row.lowerIsBetter === true ? '≤' : '≥'} ${figure(row.bar!)})`
}

function soakText ({ end, failed, samples }: SoakResults): string {
  const names = creeping(samples).map(({ label }) => label.toLowerCase())
  return failed ? `${end}.` : `${end}; ${names.length === 0 ? 'nothing creeps' : `creeping: ${names.join(', ')}`}.`
}
