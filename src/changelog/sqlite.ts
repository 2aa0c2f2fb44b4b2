/** ADAPTER: the change log in an SQLite file, the default. Durable, one process per file. */
import { backup } from './sqlite/backup.ts'
import { Medium } from './sqlite/medium.ts'
import { MEMORY } from './sqlite/connection.ts'
import { compact } from './sqlite/compact.ts'
import { AuditWork } from './sqlite/audit-work.ts'
import { clearLog } from './sqlite/epochs.ts'
import { fileAnew } from './sqlite/filing.ts'
import { Mover } from './sqlite/mover.ts'
import { resolveOptions, type Resolved, type SqliteOptions } from './sqlite/options.ts'
import { CommitQueue } from './sqlite/queue.ts'
import { tenantOptions, tenantPath } from './sqlite/tenant.ts'
import type { Backup, BackupOptions, BackupStore } from './backup.ts'
import type { AuditStore, Erased, EraseOptions, Seal, WrittenBy } from './audit.ts'
import type { TenantStore } from './networked.ts'
import type { LogFacts, MovableStore, MovedPart, MovedRecord, MoveSource } from './moving.ts'
import { appendedPush, appendedSequence } from './entry.ts'
import { SyncError } from '../errors.ts'
import type {
  ChangeEntry, Committed, CompactPolicy, DocumentKey, Epoch, Filer, HeadAnswer, HeadKey,
  JournalQuery, JournalRow, Page, Push, ReadQuery, StoredEntry, StoreHealth, Supports
} from './changelog.ts'

export type { SqliteOptions } from './sqlite/options.ts'

interface Slice {
  readonly before?: number
  readonly limit?: number
}

const PAGE = 100

/**
 * The change log in one SQLite file; beside it lie its `-wal`, `-shm`, `-lock`, `.mark` and `.ballast`.
 * @param path of the file, created when absent; `:memory:` keeps everything in memory
 */
export class SqliteChangeLog implements MovableStore, BackupStore, AuditStore, TenantStore {
  readonly supports: Supports
  readonly #path: string
  readonly #options: Resolved
  readonly #medium: Medium
  readonly #queue: CommitQueue
  readonly #audit: AuditWork
  readonly #mover: Mover
  #compacting: Promise<void> = Promise.resolve()
  readonly #backups = new Set<Promise<unknown>>()
  #closing: Promise<void> | null = null

  constructor (path: string, options: SqliteOptions = {}) {
    if (typeof path !== 'string' || path === '') throw new TypeError('SqliteChangeLog needs the path of a file')
    this.#path = path
    this.#options = resolveOptions(options)
    this.supports = { durable: path !== MEMORY, sharedByProcesses: false, facts: true, channels: true }
    this.#medium = new Medium(path, this.#options)
    this.#audit = new AuditWork(this.#medium, { goOn: () => this.#closing === null, now: this.#options.now })
    this.#mover = new Mover(path, { options: this.#options, medium: this.#medium })
    this.#queue = new CommitQueue(jobs => this.#medium.write(({ writer }) => writer.commit(jobs)))
  }

  /** @see TenantStore; in a file of its own, `<path>.tenants/<name>.db`, which opening creates */
  tenant (name: string): SqliteChangeLog {
    if (this.#path === MEMORY) throw new TypeError('a log in memory alone has no files for tenants: MemoryChangeLog has tenants')
    return new SqliteChangeLog(tenantPath(this.#path, name), tenantOptions(this.#options))
  }

  async open (): Promise<void> {
    this.#requireOpen()
    this.#medium.open()
  }

  commit (push: Push): Promise<Committed> {
    if (this.#closing !== null) return Promise.reject(closed())
    return this.#queue.add({ push })
  }

  async heads (keys: readonly HeadKey[]): Promise<HeadAnswer[]> {
    return this.#medium.ask(reader => reader.heads(keys))
  }

  async read (query: ReadQuery): Promise<Page> {
    return this.#medium.read(reader => reader.page(query))
  }

  async entries (sequences: readonly number[]): Promise<Array<StoredEntry | null>> {
    return this.#medium.ask(reader => reader.entries(sequences))
  }

  async history (key: DocumentKey, { before = Infinity, limit = PAGE }: Slice = {}): Promise<StoredEntry[]> {
    return this.#medium.read(reader => reader.history(key, before, limit))
  }

  async journal (query: JournalQuery = {}): Promise<JournalRow[]> {
    return this.#medium.read(reader => reader.journal({ limit: PAGE, ...query }))
  }

  async discardJournal (ids: readonly number[]): Promise<number> {
    this.#requireOpen()
    return this.#medium.write(({ writer, compaction }) => writer.transaction(() => compaction.discardJournal(ids)), { always: true })
  }

  async collections (): Promise<string[]> {
    return this.#medium.read(reader => reader.collections())
  }

  async horizon (): Promise<number> {
    return this.#medium.ask(reader => reader.horizon())
  }

  async epochs (): Promise<readonly Epoch[]> {
    return this.#medium.ask(reader => reader.epochs())
  }

  async secret (): Promise<Uint8Array> {
    return this.#medium.read(reader => reader.secret())
  }

  async file (name: string, channelsOf: Filer): Promise<void> {
    this.#requireOpen()
    if (this.#medium.read(reader => reader.filed('filed_by')) === name) return
    await fileAnew(this.#medium, { name, channelsOf, goOn: () => this.#requireOpen() })
  }

  async filing (): Promise<string> {
    return this.#medium.read(reader => reader.filed('filing'))
  }

  async append (change: ChangeEntry): Promise<void> {
    for (;;) {
      this.#requireOpen()
      const { head, newest, taken } = this.#medium.read(reader => ({
        head: reader.headOf(change),
        newest: reader.head(),
        taken: Boolean(change.id) && reader.byId(change.id) !== null
      }))
      if (taken) throw new TypeError(`the log already has an entry with the id ${change.id}`)
      const sequence = appendedSequence(change.sequence, newest)
      const push = appendedPush(change, head, this.#options.now())
      // Others may have committed meanwhile: their entries then stand before this one.
      const { status } = await this.#queue.add(change.sequence ? { push, id: change.id || null, sequence } : { push, id: change.id || null })
      if (status === 'committed') return
    }
  }

  async getSince (sequence: number, limit = PAGE): Promise<ChangeEntry[]> {
    return this.#medium.read(reader => reader.since(sequence, limit))
  }

  async getForCollection (collection: string, since: number): Promise<ChangeEntry[]> {
    return this.#medium.read(reader => reader.sinceOf(collection, since))
  }

  async get (id: string): Promise<ChangeEntry | null> {
    return this.#medium.read(reader => reader.byId(id))
  }

  async getCurrentSequence (): Promise<number> {
    return this.#medium.ask(reader => reader.head())
  }

  compact (policy: CompactPolicy = { historyBefore: Infinity }): Promise<void> {
    return this.#inTurn(async () => {
      await this.#audit.seal()
      await compact(this.#medium, policy, { goOn: () => this.#closing === null, now: this.#options.now() })
    })
  }

  onSeal (listener: (seal: Seal) => void): void {
    this.#audit.listener = listener
  }

  seal (before = Infinity): Promise<void> {
    return this.#inTurn(() => this.#audit.seal(before))
  }

  /** @throws SyncError storage_unavailable; what was erased by then is erased, and the same call goes on */
  erase (keys: readonly DocumentKey[], options: EraseOptions = {}): Promise<Erased> {
    return this.#inTurn(() => this.#audit.erase(keys, options))
  }

  async writtenBy (userId: string, after: number): Promise<WrittenBy> {
    this.#requireOpen()
    return this.#audit.writtenBy(userId, after)
  }

  forgetWriter (key: DocumentKey, userId: string): Promise<number> {
    return this.#inTurn(() => this.#audit.forgetWriter(key, userId))
  }

  forgetJournal (userId: string): Promise<number> {
    return this.#inTurn(() => this.#audit.forgetJournal(userId))
  }

  /** What drops entries or seals them goes one after the other. */
  #inTurn<T> (work: () => Promise<T>): Promise<T> {
    const run = this.#compacting.then(() => {
      this.#requireOpen()
      return work()
    })
    this.#compacting = run.then(() => {}, () => {})
    return run
  }

  async clear (): Promise<void> {
    this.#requireOpen()
    this.#medium.write(({ writer, database }) => writer.transaction(() => clearLog(database, this.#options.now())), { always: true })
    this.#medium.refresh()
  }

  /**
   * Copies the log as one moment showed it into one file, while commits go on; `close` ends it.
   * @param path in a folder that exists
   * @throws SyncError storage_unavailable when a file is there, or a log, or the disk is full
   */
  backup (path: string, options: BackupOptions = {}): Promise<Backup> {
    const made = this.#backup(path, options)
    this.#backups.add(made)
    const ended = (): void => { this.#backups.delete(made) }
    made.then(ended, ended)
    return made
  }

  async #backup (target: string, options: BackupOptions): Promise<Backup> {
    const goOn = (): void => this.#requireOpen()
    goOn()
    const source = this.#medium.source()
    return await backup(source, { log: this.#medium.path, target }, { ...options, goOn })
  }

  async openAtRest (): Promise<void> {
    this.#requireOpen()
    this.#mover.openAtRest()
  }

  async facts (): Promise<LogFacts> {
    this.#requireOpen()
    return this.#mover.facts()
  }

  async part (from: string | null, size: number): Promise<MovedPart> {
    this.#requireOpen()
    return this.#mover.part(from, size)
  }

  async begin (source: MoveSource): Promise<{ progress: string | null }> {
    this.#requireOpen()
    return this.#mover.begin(source)
  }

  async take (records: readonly MovedRecord[], progress: string): Promise<void> {
    this.#requireOpen()
    this.#mover.take(records, progress)
  }

  async end (facts: LogFacts): Promise<void> {
    this.#requireOpen()
    this.#mover.end(facts)
  }

  health (): StoreHealth {
    return this.#medium.health()
  }

  stats (): Readonly<Record<string, number>> {
    return this.#medium.stats()
  }

  close (): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close (): Promise<void> {
    await this.#queue.drained()
    await this.#compacting
    await Promise.allSettled(this.#backups)
    this.#mover.close()
    this.#medium.close()
  }

  #requireOpen (): void {
    if (this.#closing !== null) throw closed()
  }
}

function closed (): SyncError {
  return new SyncError('storage_unavailable', { detail: 'The change log is closed.' })
}
