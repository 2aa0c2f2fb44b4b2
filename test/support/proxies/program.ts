/** A proxy as a process group of its own on a port of its own. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../free-port.ts'
import { accepts, endsWithUs, signalGroup } from '../services/place.ts'
import { pemPath } from '../tls.ts'
import type { Place } from './configuration.ts'

export interface Command {
  /** Program and arguments; it stays in the foreground. */
  readonly run: readonly string[]
  /** The program's own test of its configuration, before the start. */
  readonly check?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export interface Kind {
  readonly name: string
  readonly program: string
  readonly packageName: string
  /** Whether it speaks TLS to clients. */
  readonly tls?: boolean
  /** Changes what the README says. */
  readonly rewrite?: (text: string) => string
  /** Writes its files. */
  readonly prepare: (place: Place) => Command
}

export interface Proxy {
  readonly port: number
  readonly url: string
  /** Ends it, waits until it is gone, and starts it anew on the same port. */
  restart (signal: NodeJS.Signals): Promise<void>
  stop (): Promise<void>
}

interface Test { teardown (action: () => unknown): void }

/** For a proxy that answers with an error of its own, and for one that does not start. */
const START_MS = 20_000

const PATH = `${process.env['PATH']}:/usr/sbin:/sbin`

/** Those that run, and what lets each be. */
const groups = new Map<number, () => void>()

/** Ends with the test. @param targets ports on 127.0.0.1 of the server, or of several nodes */
export async function startProxy (t: Test, kind: Kind, ...targets: readonly number[]): Promise<Proxy> {
  const folder = mkdtempSync(join(tmpdir(), 'pocket-proxy-'))
  // What drops root's rights must still find its files.
  chmodSync(folder, 0o777)
  const port = await freePort()
  const certificate = { cert: join(folder, 'sync.crt'), key: join(folder, 'sync.key'), pem: join(folder, 'sync.pem') }
  const parts = { cert: readFileSync(pemPath('localhost', 'cert')), key: readFileSync(pemPath('localhost', 'key')) }
  writeFileSync(certificate.cert, parts.cert)
  writeFileSync(certificate.key, parts.key)
  writeFileSync(certificate.pem, Buffer.concat([parts.cert, parts.key]))
  const command = kind.prepare({ rewrite: kind.rewrite, port, inner: await freePort(), targets, folder, ...certificate })
  const env = { ...process.env, PATH, HOME: folder, ...command.env }
  if (command.check !== undefined) {
    const { status, stdout, stderr } = spawnSync(command.check[0]!, command.check.slice(1), { env, cwd: folder, encoding: 'utf8' })
    if (status !== 0) throw new Error(`${kind.name} refuses its configuration: ${stdout}${stderr}`)
  }
  const start = (): Promise<Running> => Running.start(kind.name, { command, env, folder, port })
  let running = await start()
  const stop = async (): Promise<void> => {
    await running.stop('SIGTERM')
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  t.teardown(stop)
  return {
    port,
    url: `http${kind.tls === true ? 's' : ''}://127.0.0.1:${port}`,
    async restart (signal) {
      await running.stop(signal)
      running = await start()
    },
    stop
  }
}

class Running {
  readonly #child: ChildProcess
  readonly #gone: Promise<unknown>

  private constructor (child: ChildProcess) {
    this.#child = child
    this.#gone = once(child, 'exit')
  }

  static async start (name: string, { command, env, folder, port }: { command: Command, env: NodeJS.ProcessEnv, folder: string, port: number }): Promise<Running> {
    let output = ''
    const child = spawn(command.run[0]!, command.run.slice(1), { env, cwd: folder, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => { output += text.toString() })
    groups.set(child.pid!, endsWithUs(child.pid!))
    const running = new Running(child)
    for (const end = performance.now() + START_MS; !await accepts(port); await sleep(50)) {
      if (child.exitCode === null && child.signalCode === null && performance.now() < end) continue
      await running.stop('SIGKILL')
      throw new Error(`${name} does not listen: ${output}`)
    }
    return running
  }

  async stop (signal: NodeJS.Signals): Promise<void> {
    const { pid } = this.#child
    if (!groups.has(pid!)) return
    // Killed, the whole group is: what it leaves behind would go on to answer.
    if (signal === 'SIGKILL') signalGroup(pid!, signal)
    else this.#child.kill(signal)
    const slow = setTimeout(() => signalGroup(pid!, 'SIGKILL'), 2000)
    await this.#gone
    clearTimeout(slow)
    signalGroup(pid!, 'SIGKILL')
    groups.get(pid!)?.()
    groups.delete(pid!)
  }
}
