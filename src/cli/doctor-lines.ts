/** An examination as people see it, and as programs do. */
import type { Outcome, Told } from '../doctor/chart.ts'
import type { Mend } from '../doctor/mends.ts'
import type { Environment, Writer } from './command.ts'
import { counted, harmless } from './terminal.ts'

/** Widest name of a check. */
const NAME = 11
const INDENT = ' '.repeat(NAME + 6)

const marks = { ok: '✓', problem: '✗', note: '!', skipped: '–' } as const
const colours = { ok: 32, problem: 31, note: 33, skipped: 90, dim: 90, bold: 1 } as const

export type Paint = (colour: keyof typeof colours, text: string) => string

/** Colours on a terminal only, and not where NO_COLOR is set (https://no-color.org). */
export function paintFor ({ isTerminal }: Pick<Writer, 'isTerminal'>, env: Environment): Paint {
  const isPlain = !isTerminal || Boolean(env['NO_COLOR']) || env['TERM'] === 'dumb'
  return isPlain ? (_colour, text) => text : (colour, text) => `\u001b[${colours[colour]}m${text}\u001b[0m`
}

const people: Record<Mend['proxy'], string> = { nginx: 'nginx', haproxy: 'HAProxy', caddy: 'Caddy', apache: 'Apache', varnish: 'Varnish' }

export function findingLines ({ check, level, text, advice = [], mends }: Told, paint: Paint): string {
  const first = `  ${paint(level, marks[level])} ${check.padEnd(NAME)}  ${level === 'skipped' ? paint('dim', harmless(text)) : harmless(text)}`
  return [first, ...advice.map(line => INDENT + harmless(line)), ...mends.flatMap(mend => mendLines(mend, paint))].join('\n') + '\n'
}

function mendLines ({ proxy, where, lines, takeOut }: Mend, paint: Paint): string[] {
  const head = `${people[proxy]}, ${takeOut === true ? `take out of ${where}` : `in ${where}`}:`
  const [only = ''] = lines
  const width = 34
  if (lines.length === 1) return [`${INDENT}${head.padEnd(width)} ${paint('bold', harmless(only))}`]
  return [`${INDENT}${head}`, ...lines.map(line => `${INDENT}    ${paint('bold', harmless(line))}`)]
}

export function headLine (url: string, paint: Paint): string {
  return `${paint('bold', harmless(url))}\n\n`
}

export function lastLine ({ problems, notes, way }: Outcome, paint: Paint): string {
  const through = way.length === 0 ? '' : `, through ${harmless(way.join(', '))}`
  const noted = notes === 0 ? '' : `, ${counted(notes, 'note')}`
  return problems === 0
    ? `\n${paint('ok', 'Healthy')}${through}${noted}\n`
    : `\n${paint('problem', counted(problems, 'problem'))}${noted}${through}\n`
}
