import type { Command, Options } from '../src/cli/command.ts'
import { groups, standard } from '../src/cli/registry.ts'

function row (...cells: readonly string[]): string {
  return `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function commandRow ({ name, usage, summary, options }: Command): string {
  const words = Object.entries(options).map(([option, { type }]) => type === 'boolean' ? `\`--${option}\`` : `\`--${option} …\``)
  return row(`\`${[name, usage].join(' ').trim()}\``, summary, name === standard.name ? 'below' : words.join(' '))
}

function optionRows (options: Options): string[] {
  return Object.entries(options).map(([name, option]) => {
    const value = option.type === 'boolean' ? 'off' : option.default ?? ''
    return row(`\`--${name}\``, option.env === undefined ? '' : `\`${option.env}\``, value, option.summary.replaceAll('<', '&lt;'))
  })
}

/** The README's tables of the program: its commands, and the options of the one that serves. */
export function commandTables (): string {
  const commands = groups.flatMap(({ title, commands }) => [row(`**${title}**`, '', ''), ...commands.map(commandRow)])
  return [
    [row('command', 'to', 'options'), row('---', '---', '---'), ...commands].join('\n'),
    [row(`option of \`${standard.name}\``, 'variable', 'default', 'meaning'), row('---', '---', '---', '---'), ...optionRows(standard.options)].join('\n')
  ].join('\n\n')
}
