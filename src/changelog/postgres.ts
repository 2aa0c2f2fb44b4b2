/** ADAPTER: the change log in PostgreSQL, for any number of nodes. */
import type { PostgresPool } from '../drivers/postgres.ts'
import { appendedPush, appendedSequence } from './entry.ts'
import type { LogFacts, MovableStore, MovedPart, MovedRecord, MoveSource } from './moving.ts'
import { assertTenant, type LogServer, type NetworkedStore, type TenantStore } from './networked.ts'
import { Arrivals } from './postgres/arrivals.ts'
import { clearLog } from './postgres/clear.ts'
import { Compaction } from './postgres/compaction.ts'
import { closed } from './postgres/failure.ts'
import { Filing } from './postgres/filing.ts'
import { GROUP, type Job } from './postgres/group.ts'
import { Lineage, type LogState } from './postgres/lineage.ts'
import { resolveOptions, type PostgresOptions } from './postgres/options.ts'
import { LogParts } from './postgres/parts.ts'
import { placeOf } from './postgres/place.ts'
import { Reader } from './postgres/reader.ts'
import { Server } from './postgres/server.ts'
import { Writer } from './postgres/writer.ts'
import { asOne, asOneList, Together } from './together.ts'
import type {
  ChangeEntry, Committed, CompactPolicy, DocumentKey, Epoch, Filer, HeadAnswer, HeadKey,
  JournalQuery, JournalRow, Page, Push, ReadQuery, StoredEntry, StoreHealth, Supports
} from './changelog.ts'

export type { PostgresOptions } from './postgres/options.ts'

interface Slice {
  readonly before?: number
  readonly limit?: number
}

const PAGE = 100

/** The log of one tenant, on the connections of the others. */
class Shared {
  readonly server: Server
  readonly standby: Server | undefined
  readonly name: string

  constructor (server: Server, standby: Server | undefined, name: string) {
    this.server = server
    this.standby = standby
    this.name = name
  }
}

/**
 * The change log in a PostgreSQL database, shared by any number of nodes.
 * @param source an application's own `pg.Pool`, which `close` leaves open, or a URL
 */
export class PostgresChangeLog implements NetworkedStore, TenantStore, MovableStore {
  readonly supports: Supports = { durable: true, sharedByProcesses: true, facts: true, channels: true }
  readonly #server: Server
  readonly #standby: Server | undefined
  readonly #lineage: Lineage
  readonly #reader: Reader
  readonly #states: Together<null, LogState>
  readonly #heads: Together<readonly HeadKey[], HeadAnswer[]>
  readonly #commits: Together<Job, Committed>
  readonly #compaction: Compaction
  readonly #filing: Filing
  readonly #parts: LogParts
  readonly #arrivals: Arrivals
  #compacting: Promise<void> = Promise.resolve()
  /** Whether the connections end with this log. */
  readonly #root: boolean
  #opening: Promise<void> | null = null
  #closing: Promise<void> | null = null

  constructor (source: PostgresPool | string, options?: PostgresOptions)
  constructor (source: PostgresPool | string | Shared, options: PostgresOptions = {}) {
    const { server, standby, name } = source instanceof Shared ? source : connectionsOf(source, options)
    this.#standby = standby
    this.#root = !(source instanceof Shared)
    this.#server = server
    this.#lineage = new Lineage(server, name)
    this.#reader = new Reader(server, this.#lineage, standby)
    this.#states = asOne(() => this.#lineage.state())
    this.#heads = asOneList(keys => this.#reader.heads(keys))
    this.#compaction = new Compaction(server, this.#lineage)
    this.#filing = new Filing(server, this.#lineage)
    this.#parts = new LogParts(server, this.#lineage)
    this.#arrivals = new Arrivals(server, this.#lineage)
    const writer = new Writer(this.#lineage, this.#filing, server)
    this.#commits = new Together(async jobs => {
      await this.#begin()
      return await writer.commit(jobs)
    }, GROUP)
  }

  tenant (name: string): PostgresChangeLog {
    assertTenant(name)
    return new PostgresChangeLog(new Shared(this.#server, this.#standby, name) as unknown as PostgresPool)
  }

  async open (): Promise<void> {
    this.#requireOpen()
    await this.#begin()
  }

  async openAtRest (): Promise<void> {
    this.#requireOpen()
    if (this.#opening !== null) return await this.#opening
    this.#opening = this.#lineage.rest()
    this.#opening.catch(() => { this.#opening = null })
    await this.#opening
  }

  async facts (): Promise<LogFacts> {
    this.#requireOpen()
    return await this.#parts.facts()
  }

  async place (): Promise<string> {
    this.#requireOpen()
    return await placeOf(this.#server, this.#lineage)
  }

  async part (from: string | null, size: number): Promise<MovedPart> {
    this.#requireOpen()
    return await this.#parts.part(from, size)
  }

  async begin (source: MoveSource): Promise<{ readonly progress: string | null }> {
    this.#requireOpen()
    return await this.#arrivals.begin(source)
  }

  async take (records: readonly MovedRecord[], progress: string): Promise<void> {
    this.#requireOpen()
    await this.#arrivals.take(records, progress)
  }

  async end (facts: LogFacts): Promise<void> {
    this.#requireOpen()
    await this.#arrivals.end(facts)
  }

  async #begin (): Promise<void> {
    this.#opening ??= this.#lineage.open().catch((error: unknown) => {
      this.#opening = null
      throw error
    })
    await this.#opening
  }

  async commit (push: Push): Promise<Committed> {
    this.#requireOpen()
    return await this.#commits.add({ push })
  }

  async heads (keys: readonly HeadKey[]): Promise<HeadAnswer[]> {
    await this.open()
    return await this.#heads.add(keys)
  }

  async read (query: ReadQuery): Promise<Page> {
    return await (await this.#opened()).page(query)
  }

  async entries (sequences: readonly number[]): Promise<Array<StoredEntry | null>> {
    return await (await this.#opened()).entries(sequences)
  }

  async history (key: DocumentKey, { before = Infinity, limit = PAGE }: Slice = {}): Promise<StoredEntry[]> {
    return await (await this.#opened()).history(key, before, limit)
  }

  async journal (query: JournalQuery = {}): Promise<JournalRow[]> {
    return await (await this.#opened()).journal({ limit: PAGE, ...query })
  }

  async discardJournal (ids: readonly number[]): Promise<number> {
    await this.open()
    return await this.#compaction.discardJournal(ids)
  }

  async collections (): Promise<string[]> {
    return await (await this.#opened()).collections()
  }

  async horizon (): Promise<number> {
    return (await this.#state()).horizon
  }

  async epochs (): Promise<readonly Epoch[]> {
    return (await this.#state()).epochs
  }

  async secret (): Promise<Uint8Array> {
    return await (await this.#opened()).secret()
  }

  async file (name: string, channelsOf: Filer): Promise<void> {
    const reader = await this.#opened()
    await this.#filing.run({ name, channelsOf, goOn: () => this.#requireOpen() }, () => reader.filedBy())
  }

  async filing (): Promise<string> {
    return await (await this.#opened()).filing()
  }

  async append (change: ChangeEntry): Promise<void> {
    for (;;) {
      const reader = await this.#opened()
      const [{ head }] = await reader.heads([change]) as [HeadAnswer]
      const newest = (await this.#state()).head
      if (change.id && await reader.byId(change.id) !== null) throw new TypeError(`the log already has an entry with the id ${change.id}`)
      const sequence = appendedSequence(change.sequence, newest)
      const push = appendedPush(change, head, this.#server.options.now())
      // Others may have committed meanwhile: their entries then stand before this one.
      const { status } = await this.#commits.add(change.sequence ? { push, id: change.id || null, sequence } : { push, id: change.id || null })
      if (status === 'committed') return
    }
  }

  async getSince (sequence: number, limit = PAGE): Promise<ChangeEntry[]> {
    return await (await this.#opened()).since(sequence, limit)
  }

  async getForCollection (collection: string, since: number): Promise<ChangeEntry[]> {
    return await (await this.#opened()).sinceOf(collection, since)
  }

  async get (id: string): Promise<ChangeEntry | null> {
    return await (await this.#opened()).byId(id)
  }

  async getCurrentSequence (): Promise<number> {
    return (await this.#state()).head
  }

  /** Does nothing while another node does it. */
  async compact (policy: CompactPolicy = { historyBefore: Infinity }): Promise<void> {
    const run = this.#compacting.then(async () => {
      await this.open()
      await this.#compaction.run(policy, { goOn: () => this.#closing === null, now: this.#server.options.now() })
    })
    this.#compacting = run.catch(() => {})
    await run
  }

  async clear (): Promise<void> {
    await this.open()
    await clearLog(this.#server, this.#lineage)
  }

  async server (): Promise<LogServer> {
    return { kind: 'postgres', pool: await this.#server.lend(), schema: this.#server.options.schema }
  }

  health (): StoreHealth {
    return this.#closing === null ? this.#server.health.told() : { writable: false, detail: 'The change log is closed.' }
  }

  stats (): Readonly<Record<string, number>> {
    return { head: this.#lineage.known.head }
  }

  close (): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close (): Promise<void> {
    await this.#commits.drained()
    await this.#compacting
    if (this.#root) await Promise.all([this.#server.end(), this.#standby?.end()])
  }

  #requireOpen (): void {
    if (this.#closing !== null) throw closed()
  }

  async #opened (): Promise<Reader> {
    await this.open()
    return this.#reader
  }

  async #state (): Promise<LogState> {
    await this.open()
    return await this.#states.add(null)
  }
}

function connectionsOf (source: PostgresPool | string, options: PostgresOptions): Shared {
  for (const [name, given] of [['PostgresChangeLog', source], ['replica', options.replica ?? source]] as const) {
    if (typeof given === 'string' ? !/^postgres(ql)?:/i.test(given) : typeof (given as Partial<PostgresPool> | null)?.connect !== 'function') {
      throw new TypeError(`${name} takes a URL (postgres://…) or a pool: new pg.Pool(…)`)
    }
  }
  const resolved = resolveOptions(options)
  const standby = options.replica && new Server(options.replica, resolved, { standby: true })
  return new Shared(new Server(source, resolved), standby || undefined, '')
}
