/** From the words of the command line and the environment to a command and its options; knows no process. */
import { parseArgs } from 'node:util'
import type { Command, Environment, Flag, Options, Text, Values } from './command.ts'
import { UsageError } from './exit.ts'
import { nearest } from './nearest.ts'

export type Request =
  | { readonly what: 'help', readonly command: Command | null }
  | { readonly what: 'version' }
  | { readonly what: 'run', readonly command: Command, readonly options: Values<Options>, readonly operands: readonly string[] }

interface Known {
  readonly commands: readonly Command[]
  /** Runs when no command is named. */
  readonly standard: Command
}

/** @throws UsageError */
export function requestOf (argv: readonly string[], env: Environment, { commands, standard }: Known): Request {
  const named = argv[0]?.startsWith('-') === false
  if (named && argv[0] === 'help') return { what: 'help', command: argv[1] === undefined ? null : find(commands, argv[1]) }
  const command = named ? find(commands, argv[0]!) : standard
  const { values, positionals } = parsed(command, named ? argv.slice(1) : argv)
  if (values['help'] === true) return { what: 'help', command: named ? command : null }
  if (values['version'] === true) return { what: 'version' }
  assertOperands(command, positionals, commands)
  const options = Object.fromEntries(Object.entries(command.options).map(([name, option]) => [name, valueOf(option, values[name], env)]))
  return { what: 'run', command, options: options as Values<Options>, operands: positionals }
}

function find (commands: readonly Command[], name: string): Command {
  const found = commands.find(command => command.name === name)
  if (found !== undefined) return found
  const close = nearest(name, commands.map(command => command.name))
  throw new UsageError(`there is no command "${name}"${close === null ? '' : `; did you mean ${close}?`}`)
}

function parsed (command: Command, args: readonly string[]): { values: Readonly<Record<string, unknown>>, positionals: readonly string[] } {
  const options = Object.fromEntries(Object.entries(command.options).map(([name, option]) => [name, { type: option.type, multiple: option.type === 'string' && option.multiple === true }] as const))
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { ...options, help: { type: 'boolean', short: 'h' }, version: { type: 'boolean', short: 'v' } }
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function assertOperands ({ name, usage, operands: { min, max } }: Command, given: readonly string[], commands: readonly Command[]): void {
  if (given.length >= min && given.length <= max) return
  const misplaced = commands.find(command => command.name === given[0])
  if (misplaced !== undefined) throw new UsageError(`a command comes first: pocket-server ${misplaced.name} …`)
  if (given.length < min) throw new UsageError(`${name} needs ${usage}`)
  throw new UsageError(`${name} takes ${usage === '' ? 'no further word' : `only ${usage}`}, not "${given[max]!}" as well`)
}

function valueOf (option: Flag | Text, given: unknown, env: Environment): string | boolean | readonly string[] | undefined {
  const variable = option.env === undefined ? undefined : env[option.env]
  if (option.type === 'boolean') return given as boolean | undefined ?? flagOf(option.env ?? '', variable)
  if (option.multiple === true) return given as string[] | undefined ?? []
  return given as string | undefined ?? (variable || option.default)
}

function flagOf (name: string, text = ''): boolean {
  if (text === '' || text === '0' || text === 'false') return false
  if (text === '1' || text === 'true') return true
  throw new UsageError(`${name} is 1 or 0, not "${text}"`)
}

/** @throws UsageError */
export function wholeNumber (what: string, text: string, { min = 0, max = Number.MAX_SAFE_INTEGER } = {}): number {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : NaN
  if (!(number >= min && number <= max)) {
    throw new UsageError(`${what} is a number from ${min}${max === Number.MAX_SAFE_INTEGER ? ' on' : ` to ${max}`}, not "${text}"`)
  }
  return number
}

/** @throws UsageError */
export function oneOf<T extends string> (what: string, text: string, words: readonly T[]): T {
  const word = words.find(known => known === text)
  if (word === undefined) throw new UsageError(`${what} is one of ${words.join(', ')}, not "${text}"`)
  return word
}

/** Names between commas. */
export function listOf (text: string): string[] {
  return text.split(',').map(part => part.trim()).filter(part => part !== '')
}
