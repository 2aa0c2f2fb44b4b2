/** The texts of --help, made of what the commands say of themselves. */
import type { Command, Options } from './command.ts'

/** Commands under a heading. */
export interface Group {
  readonly title: string
  readonly commands: readonly Command[]
}

const exits = `Exit codes: 0 ended as asked, 1 failed while running or found something wrong,
2 wrong arguments, 69 the address cannot be used, 74 the change log or a file
cannot be opened. SIGTERM and SIGINT end it in order, a second one at once.
`

/** @param standard the command that runs when none is named; its options are listed here too */
export function programHelp (groups: readonly Group[], standard: Command): string {
  const width = Math.max(...groups.flatMap(group => group.commands.map(({ name }) => name.length)))
  const list = groups.map(({ title, commands }) =>
    `${title}\n${commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}\n`).join('')}`)
  return `Usage: pocket-server [command] [options]

${list.join('\n')}
Options of ${standard.name}, which runs when no command is named
${optionLines(standard.options)}
pocket-server <command> --help tells more; --version prints the version.

${exits}`
}

export function commandHelp ({ name, usage, about, summary, options }: Command): string {
  return `Usage: pocket-server ${[name, usage, '[options]'].filter(word => word !== '').join(' ')}

${summary[0]!.toUpperCase()}${summary.slice(1)}.

${about.trim()}

Options
${optionLines(options)}
${exits}`
}

function optionLines (options: Options): string {
  const rows = Object.entries(options).map(([name, option]) => {
    const left = option.type === 'string' ? `--${name} ${option.value}` : `--${name}`
    const standard = option.type === 'string' && option.default !== undefined ? ` (${option.default})` : ''
    return [left, option.env ?? '', `${option.summary}${standard}`] as const
  })
  rows.push(['--help', '', 'this text'])
  const [first, second] = [0, 1].map(column => Math.max(...rows.map(row => row[column]!.length))) as [number, number]
  return rows.map(([left, env, text]) => `  ${left.padEnd(first)}  ${second === 0 ? '' : `${env.padEnd(second)}  `}${text}\n`).join('')
}
