/** Real nodes over one log on a server, and nginx before them that deals requests out in turn. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { freePort } from './free-port.ts'
import { startServer, type ServerProcess, type StartOptions } from './process.ts'
import { balancers } from './proxies/kinds.ts'
import { startProxy as startBalancer } from './proxies/program.ts'
import { startProxy, type Proxy } from './proxy.ts'
import type { Service } from './services/place.ts'

/** One node. It keeps its port over restarts. */
export class Node {
  readonly port: number
  readonly #options: StartOptions
  #server: ServerProcess | undefined

  constructor (options: StartOptions & { readonly port: number }) {
    this.port = options.port
    this.#options = options
  }

  get url (): string {
    return `http://127.0.0.1:${this.port}`
  }

  get pid (): number {
    return this.#server!.pid
  }

  output (): string {
    return this.#server!.output()
  }

  /** @param options other than the first ones, from then on only this once */
  async start (options: Partial<StartOptions> = {}): Promise<void> {
    this.#server = await startServer({ ...this.#options, ...options })
  }

  async stop (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined) return null
    // A process that is held ends at no other signal.
    if (signal === 'SIGKILL') server.child.kill('SIGCONT')
    return (await server.stop(signal)).code
  }

  async restart (signal: NodeJS.Signals, options: Partial<StartOptions> = {}): Promise<void> {
    await this.stop(signal)
    await this.start(options)
  }

  /** Holds it for a while, as a virtual machine that is moved is held. */
  async pause (ms: number): Promise<void> {
    const { child } = this.#server!
    child.kill('SIGSTOP')
    await sleep(ms)
    child.kill('SIGCONT')
  }
}

export interface Cluster {
  /** Where the log is, for a look at it beside the nodes. */
  readonly db: string
  /** Of nginx. */
  readonly url: string
  readonly nodes: readonly Node[]
  readonly service: Service
  /** Between the nodes and what carries their hints. */
  readonly hints: Proxy
}

export interface ClusterOptions {
  /** Default 4. */
  readonly count?: number
  /** Of every node. */
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** nginx as the README has it, without TLS, which is the suite of proxies' affair. */
const plain = { ...balancers.nginx, tls: false, rewrite: (text: string) => text.replace(' ssl http2;', ';').replace(/^ *ssl_.*$/gm, '') }

/** Ends with the test. @param db of the log, on the service */
export async function startCluster (t: Test, service: Service, db: string, { count = 4, args = [], env = {} }: ClusterOptions = {}): Promise<Cluster> {
  const hints = await startProxy({ target: service.port, halves: false })
  const through = new URL(db)
  through.port = String(hints.port)
  const common = { db, env, args: ['--open', '--trust-proxy', 'loopback', '--no-rate-limit', '--pubsub', through.href, ...args] }
  const nodes: Node[] = []
  for (let n = 0; n < count; n++) nodes.push(new Node({ ...common, port: await freePort() }))
  t.teardown(async () => {
    await Promise.all(nodes.map(node => node.stop('SIGKILL')))
    await hints.close()
  })
  await Promise.all(nodes.map(node => node.start()))
  const { url } = await startBalancer(t, plain, ...nodes.map(({ port }) => port))
  return { db, url, nodes, service, hints }
}

const root = fileURLToPath(new URL('../../', import.meta.url))

/** The next build, whose tables on PostgreSQL have a column more. Ends with the test. @returns path of its program */
export function newerBuild (t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'pocket-newer-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true })
  cpSync(join(root, 'package.json'), join(folder, 'package.json'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const migrations = join(folder, 'dist/src/changelog/postgres/migrations.js')
  const text = readFileSync(migrations, 'utf8')
  const last = '{ sql: layout1, least: 1 }'
  if (!text.includes(last)) throw new Error(`${migrations} has no ${last}`)
  writeFileSync(migrations, text.replace(last, `${last}, { sql: () => 'ALTER TABLE pocket.entries ADD COLUMN later int', least: 1 }`))
  return join(folder, 'dist/src/cli.js')
}
