/** What the command line and the environment ask for; knows no process. */
import { parseArgs } from 'node:util'
import { DEFAULT_LOG } from '../backends.ts'

export const usage = `Usage: pocket-server [serve] [options]

Serves sync over HTTP. Prints one line with the address once it listens; logs on stderr.

  --port <n>         POCKET_PORT       port; 0 picks a free one (3000)
  --host <address>   POCKET_HOST       address to listen on (127.0.0.1)
  --db <path>        POCKET_DB         change log: a path, sqlite:<path>, or :memory: (${DEFAULT_LOG})
  --open             POCKET_OPEN       answer other machines too, although there is no authentication
  --log-level <l>    POCKET_LOG_LEVEL  debug, info, warn, error or silent (info)
  --help             this text
  --version          the version

Exit codes: 0 ended as asked, 1 failed while running, 2 wrong arguments,
69 the address cannot be used, 74 the change log cannot be opened.
SIGTERM and SIGINT end it in order, a second one at once.
`

const levels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = typeof levels[number]

export interface Settings {
  readonly port: number
  readonly host: string
  readonly db: string
  readonly open: boolean
  readonly logLevel: LogLevel
}

/** The arguments are wrong; the message says which one. */
export class UsageError extends Error {}

export type Command = 'help' | 'version' | Settings

type Environment = Readonly<Record<string, string | undefined>>

/** @throws UsageError */
export function commandOf (argv: readonly string[], env: Environment): Command {
  const { values, positionals } = parsed(argv)
  if (values.help === true) return 'help'
  if (values.version === true) return 'version'
  if (positionals.length > 1 || (positionals[0] ?? 'serve') !== 'serve') throw new UsageError(`there is no command "${positionals.join(' ')}", only serve`)
  const text = (option: string | undefined, name: string, otherwise: string): string => option ?? (env[name] || otherwise)
  return {
    port: portOf(text(values.port, 'POCKET_PORT', '3000')),
    host: text(values.host, 'POCKET_HOST', '127.0.0.1'),
    db: text(values.db, 'POCKET_DB', DEFAULT_LOG),
    open: values.open ?? flagOf('POCKET_OPEN', env['POCKET_OPEN']),
    logLevel: levelOf(text(values['log-level'], 'POCKET_LOG_LEVEL', 'info'))
  }
}

function parsed (argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        port: { type: 'string' },
        host: { type: 'string' },
        db: { type: 'string' },
        open: { type: 'boolean' },
        'log-level': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' }
      }
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function portOf (text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN
  if (!(port <= 65535)) throw new UsageError(`the port is a number from 0 to 65535, not "${text}"`)
  return port
}

function levelOf (text: string): LogLevel {
  const level = levels.find(known => known === text)
  if (level === undefined) throw new UsageError(`the log level is one of ${levels.join(', ')}, not "${text}"`)
  return level
}

function flagOf (name: string, text = ''): boolean {
  if (text === '' || text === '0' || text === 'false') return false
  if (text === '1' || text === 'true') return true
  throw new UsageError(`${name} is 1 or 0, not "${text}"`)
}
