/** What every work of the suite is given, and what it gives back. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Load, LoadResult, WholeLoad } from './loads.ts'
import { Helper, startServer, startTarget, type Target } from './processes.ts'
import type { SqliteQuestion } from './raw-sqlite.ts'
import type { Row } from './report.ts'
import { interleave, type Contenders, type Rounds, type Sample } from './stats.ts'

export interface Settings {
  /** Of every comparison. */
  readonly rounds: number
  /** Of one slice of a round, ms. */
  readonly ms: number
  /** Documents of the log that a server is started with. */
  readonly large: number
  /** Also measure the peers (bench/peers). */
  readonly peers: boolean
  /** For node, when it runs the server: a profiler's options, say. */
  readonly serverArgs: readonly string[]
}

export interface Work {
  readonly name: string
  run (suite: Suite): Promise<Row[]>
}

/** Of its length, what a slice of the warm-up takes. */
const WARM_UP = 0.4

/** Files and processes of one work; all end with it. */
export class Suite {
  readonly settings: Settings
  readonly folder = mkdtempSync(join(tmpdir(), 'pocket-bench-'))
  readonly #ends: Array<() => Promise<void>> = []
  #generator: Helper | undefined
  #sqlite: Helper | undefined
  /** Of a slice's length, what is run. */
  #share = 1

  constructor (settings: Settings) {
    this.settings = settings
  }

  /** This server on a file of its own. @param options of `serve` */
  async server (db: string, options: readonly string[] = []): Promise<Target> {
    return this.#keep(await startServer(join(this.folder, db), this.settings.serverArgs, options))
  }

  /** Besides the one of `load`, for loads at the same time. */
  generator (): Helper {
    return this.#keep(Helper.start('generator.ts'))
  }

  /** Stops it with the work. */
  keep<T extends { stop (): Promise<void> }> (part: T): T {
    return this.#keep(part)
  }

  teardown (action: () => unknown): void {
    this.#ends.push(async () => { await action() })
  }

  /** Another server to compare with: a script under support/ or a path from there. */
  async target (script: string, ...args: string[]): Promise<Target> {
    return this.#keep(await startTarget(script, args))
  }

  async load (load: Load): Promise<LoadResult> {
    this.#generator ??= this.#keep(Helper.start('generator.ts'))
    return await this.#generator.ask<LoadResult>({ ...load, ms: load.ms * this.#share })
  }

  /** Every connection reads everything, once. */
  async whole (load: WholeLoad): Promise<LoadResult> {
    this.#generator ??= this.#keep(Helper.start('generator.ts'))
    return await this.#generator.ask<LoadResult>(load)
  }

  /** SQLite without a server, on a file of its own. */
  async sqlite (question: SqliteQuestion): Promise<Sample> {
    this.#sqlite ??= this.#keep(Helper.start('raw-sqlite.ts'))
    return await this.#sqlite.ask<Sample>({ ...question, path: join(this.folder, question.path), ...'ms' in question && { ms: question.ms * this.#share } })
  }

  /** Interleaved rounds, after one of short slices that finds every process cold. */
  async compare<Name extends string> (title: string, contenders: Contenders<Name>, most = Infinity): Promise<Rounds<Name>> {
    const start = performance.now()
    this.#share = WARM_UP
    await interleave(1, contenders)
    this.#share = 1
    const rounds = await interleave(Math.min(this.settings.rounds, most), contenders)
    process.stderr.write(`  ${title}: ${Object.keys(contenders).join(', ')} (${((performance.now() - start) / 1000).toFixed(0)} s)\n`)
    return rounds
  }

  async end (): Promise<void> {
    for (const end of this.#ends.reverse()) await end()
    rmSync(this.folder, { recursive: true, force: true })
  }

  #keep<T extends { stop (): Promise<void> }> (part: T): T {
    this.#ends.push(() => part.stop())
    return part
  }
}

/** Head and epoch of a server's log: a pull of a collection that nobody writes reaches it at once. */
export async function headOf ({ port }: Target): Promise<{ checkpoint: { global: number }, epoch: string }> {
  const response = await fetch(`http://127.0.0.1:${port}/sync/pull`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ type: 'pull', id: 'head', timestamp: Date.now(), collections: ['nobody-writes-this'], checkpoint: { global: 0 } })
  })
  const { checkpoint, epoch } = await response.json() as { checkpoint: { global: number }, epoch: string }
  return { checkpoint: { global: checkpoint.global }, epoch }
}

/** What a client that was away for a moment catches up on. */
const BEHIND = 10

export async function caughtUp (suite: Suite, server: Target, ms: number): Promise<LoadResult> {
  const { checkpoint, epoch } = await headOf(server)
  return await suite.load({ kind: 'pull', ...server, ms, connections: 8, limit: 100, checkpoint: { global: checkpoint.global - BEHIND }, epoch, follow: false, expect: BEHIND })
}
