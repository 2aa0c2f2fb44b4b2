import { pino, type Logger } from 'pino'
import { openPubSub } from '../../backends.ts'
import type { ChangeStore } from '../../changelog/changelog.ts'
import type { TlsOptions } from '../../edge.ts'
import type { PubSub } from '../../pubsub/pubsub.ts'
import { PocketServer, version } from '../../server.ts'
import { oneOf, wholeNumber } from '../arguments.ts'
import { command, type World } from '../command.ts'
import { edgeOf, edgeOptions, watchTls } from '../edge.ts'
import { CommandError, exitCodes } from '../exit.ts'
import { isShown, jwtFiles, jwtOf, jwtOptions } from '../jwt.ts'
import { dbOption, openForWriting } from '../log.ts'
import { maskedPlace } from '../masked.ts'
import { publicOf, publicOption } from '../public.ts'
import { retentionOf, retentionOptions } from '../retention.ts'
import { strategyOf, strategyOption } from '../strategy.ts'
import { claimOption, tenantRule } from '../tenant.ts'

const levels = ['debug', 'info', 'warn', 'error', 'silent'] as const

export const serve = command({
  name: 'serve',
  summary: 'serve sync over HTTP',
  usage: '',
  operands: { min: 0, max: 0 },
  about: 'Prints one line with the address once it listens; logs on stderr: to a terminal for people,\nelse one JSON object per line.\n' + jwtFiles,
  options: {
    port: { type: 'string', value: '<n>', env: 'POCKET_PORT', default: '3000', summary: 'port; 0 picks a free one' },
    host: { type: 'string', value: '<address>', env: 'POCKET_HOST', default: '127.0.0.1', summary: 'address to listen on' },
    db: { ...dbOption, summary: 'change log: a path, sqlite:<path>, or :memory:' },
    'db-replica': { type: 'string', value: '<url>', env: 'POCKET_DB_REPLICA', summary: 'a standby that gives readers far behind their pages' },
    pubsub: { type: 'string', value: '<url>', env: 'POCKET_PUBSUB', summary: 'hints between nodes: redis://…, postgres://… or memory' },
    open: { type: 'boolean', env: 'POCKET_OPEN', summary: 'answer other machines too, without authentication' },
    'public-collections': publicOption,
    ...jwtOptions,
    'tenant-claim': claimOption,
    ...edgeOptions,
    'conflict-strategy': strategyOption,
    ...retentionOptions,
    'log-level': { type: 'string', value: '<level>', env: 'POCKET_LOG_LEVEL', default: 'info', summary: `${levels.slice(0, -1).join(', ')} or ${levels.at(-1)!}` }
  },

  async run ({ options, ...world }) {
    const port = wholeNumber('the port', options.port, { max: 65535 })
    const level = oneOf('the log level', options['log-level'], levels)
    const conflictStrategy = strategyOf(options)
    const publicCollections = publicOf(options)
    const retention = retentionOf(options)
    const jwt = await jwtOf(options, world.env)
    const tenants = tenantRule(options['tenant-claim'], { tokens: jwt !== undefined, isPublic: publicCollections.length > 0 })
    const edge = await edgeOf(options)
    const logger = await makeLogger(level, world)
    world.onUnhandled(error => logger.error({ err: error }, 'an error that nobody handled'))
    if (isShown(options['jwt-secret'], world.env)) logger.warn({}, '--jwt-secret: everybody on this machine can read arguments; use POCKET_JWT_SECRET or POCKET_JWT_SECRET_FILE')
    const store = await openForWriting(options.db, { retention, replica: options['db-replica'] })
    const pubsub = await pubsubOf(store, options.pubsub)
    const pocket = new PocketServer({ changeLog: store, pubsub, ...jwt !== undefined && { jwt }, ...tenants, ...edge, open: options.open, publicCollections, conflictStrategy, retention, logger })
    const unwatch = watchTls(options, read => renewTls(pocket, read, logger))
    const close = async (): Promise<void> => {
      unwatch()
      await pocket.close()
      await pubsub.close()
      await store.close()
    }
    try {
      const { url } = await pocket.listen(port, options.host)
      await world.stdout.write(`pocket-server ${version} listens on ${url} (${maskedPlace(options.db)})\n`)
    } catch (error) {
      await close()
      throw new CommandError('address', `cannot listen on ${options.host}:${port}: ${addressTrouble(error as NodeJS.ErrnoException)}`, error)
    }
    if (options.open && jwt === undefined) logger.warn({}, 'open: whoever reaches this address may read and write everything')
    return await untilSignal(world.signal, logger, close)
  }
})

/** @throws CommandError, and closes the store */
async function pubsubOf (store: ChangeStore, name: string | undefined): Promise<PubSub> {
  try {
    return await openPubSub(store, name)
  } catch (error) {
    await store.close()
    throw new CommandError('usage', `--pubsub: ${(error as Error).message}`, error)
  }
}

/** A pair that is written one file after the other does not fit in between: the next look finds it. */
function renewTls (pocket: PocketServer, read: () => Promise<TlsOptions | undefined>, logger: Logger): void {
  read().then(tls => {
    if (tls === undefined) return
    pocket.renewTls(tls)
    logger.info({}, 'the certificate is renewed')
  }).catch((error: unknown) => { logger.warn({ reason: (error as Error).message }, 'the changed certificate cannot be used, the former one stays') })
}

async function untilSignal (signal: AbortSignal, logger: Logger, close: () => Promise<void>): Promise<number> {
  if (!signal.aborted) await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
  logger.info({ signal: signal.reason as string }, 'shutting down')
  try {
    await close()
    return exitCodes.ok
  } catch (error) {
    logger.error({ err: error }, 'the shutdown failed')
    return exitCodes.failed
  }
}

function addressTrouble ({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'EADDRINUSE') return 'the address is in use; choose another one with --port, or end what uses it'
  if (code === 'EACCES') return 'this user may not use that port'
  if (code === 'EADDRNOTAVAIL') return 'this machine does not have that address'
  return message
}

/** To a terminal for people, else one JSON object per line. */
async function makeLogger (level: string, { stderr }: Pick<World, 'stderr'>): Promise<Logger> {
  if (!stderr.isTerminal) return pino({ level }, pino.destination({ dest: 2, sync: true }))
  const { default: pretty } = await import('pino-pretty')
  return pino({ level }, pretty({ destination: 2, sync: true, ignore: 'pid,hostname' }))
}
