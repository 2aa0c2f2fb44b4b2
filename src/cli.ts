#!/usr/bin/env node
/** The program `pocket-server`: arguments, environment, signals, exit codes. */
import { pino, type Logger } from 'pino'
import { openBackend } from './backends.ts'
import type { ChangeStore } from './changelog/changelog.ts'
import { UsageError, commandOf, usage, type Command, type LogLevel, type Settings } from './cli/arguments.ts'
import { PocketServer, version } from './server.ts'

const exitCodes = { failed: 1, usage: 2, address: 69, log: 74 } as const

async function main (): Promise<void> {
  let command: Command
  try {
    command = commandOf(process.argv.slice(2), process.env)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    return fail('usage', `${error.message}\nTry pocket-server --help`)
  }
  if (command === 'help') process.stdout.write(usage)
  else if (command === 'version') process.stdout.write(`${version}\n`)
  else await serve(command)
}

async function serve (settings: Settings): Promise<void> {
  const logger = await makeLogger(settings.logLevel)
  endOnUnhandled(logger)
  const store = await openLog(settings.db, logger)
  if (store === null) return
  const pocket = new PocketServer({ changeLog: store, open: settings.open, logger })
  const close = async (): Promise<void> => {
    await pocket.close()
    await store.close()
  }
  endOnSignal(logger, close)
  try {
    const { url } = await pocket.listen(settings.port, settings.host)
    process.stdout.write(`pocket-server ${version} listens on ${url} (${settings.db})\n`)
    if (settings.open) logger.warn({}, 'open: whoever reaches this address may read and write everything')
  } catch (error) {
    await close()
    fail('address', `cannot listen on ${settings.host}:${settings.port}: ${addressTrouble(error as NodeJS.ErrnoException)}`)
  }
}

async function openLog (name: string, logger: Logger): Promise<ChangeStore | null> {
  let kind: keyof typeof exitCodes = 'usage'
  try {
    const store = await openBackend(name)
    kind = 'log'
    await store.open()
    return store
  } catch (error) {
    logger.debug({ err: error }, 'the change log cannot be opened')
    fail(kind, `cannot open the change log ${name}: ${(error as Error).message}`)
    return null
  }
}

function addressTrouble ({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'EADDRINUSE') return 'the address is in use; choose another one with --port, or end what uses it'
  if (code === 'EACCES') return 'this user may not use that port'
  if (code === 'EADDRNOTAVAIL') return 'this machine does not have that address'
  return message
}

function fail (kind: keyof typeof exitCodes, message: string): void {
  process.stderr.write(`pocket-server: ${message}\n`)
  process.exitCode = exitCodes[kind]
}

/** To a terminal for people, else one JSON object per line. */
async function makeLogger (level: LogLevel): Promise<Logger> {
  if (!process.stderr.isTTY) return pino({ level }, pino.destination({ dest: 2, sync: true }))
  const { default: pretty } = await import('pino-pretty')
  return pino({ level }, pretty({ destination: 2, sync: true, ignore: 'pid,hostname' }))
}

function endOnSignal (logger: Logger, close: () => Promise<void>): void {
  let ending = false
  const end = (signal: NodeJS.Signals): void => {
    if (ending) process.exit(exitCodes.failed)
    ending = true
    logger.info({ signal }, 'shutting down')
    close().then(
      () => process.exit(),
      (error: unknown) => {
        logger.error({ err: error }, 'the shutdown failed')
        process.exit(exitCodes.failed)
      })
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
}

/** After an error that nobody expected the state is not known: end, and let what supervises the program restart it. */
function endOnUnhandled (logger: Logger): void {
  const end = (error: unknown): void => {
    logger.error({ err: error }, 'an error that nobody handled')
    process.exit(exitCodes.failed)
  }
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
}

await main()
