/** ADAPTER: the change log in Redis, for any number of nodes. As durable as Redis is set up to be. */
import { openRedis, type RedisClient } from '../drivers/redis.ts'
import type {
  ChangeEntry, ChangeStore, Committed, CompactPolicy, DocumentKey, Epoch, Filer, HeadAnswer, HeadKey,
  JournalQuery, JournalRow, Page, Push, ReadQuery, StoredEntry, StoreHealth, Supports
} from './changelog.ts'
import { appendedPush, appendedSequence } from './entry.ts'
import type { LogFacts, MovableStore, MovedPart, MovedRecord, MoveSource } from './moving.ts'
import type { LogServer, NetworkedStore, TenantStore } from './networked.ts'
import { Commits } from './redis/commits.ts'
import { PLACE } from './redis/lua/place.ts'
import { closedFailure } from './redis/failure.ts'
import { keysOf } from './redis/layout.ts'
import { resolveOptions, type RedisLogOptions, type Resolved } from './redis/options.ts'
import { Mover } from './redis/mover.ts'
import { Reader } from './redis/reader.ts'
import { Session, type LogState } from './redis/session.ts'
import { Watch } from './redis/watch.ts'
import { fileAnew } from './redis/filing.ts'
import { clearLog, compact } from './redis/compaction.ts'
import { asOne, asOneList, type Together } from './together.ts'

export type { RedisLogOptions } from './redis/options.ts'

interface Slice {
  readonly before?: number
  readonly limit?: number
}

const PAGE = 100

/**
 * The change log in Redis 7 or Valkey, alone or a cluster.
 * @param given `redis://…`, `rediss://…`, or a client of ioredis or node-redis, which stays the application's to close
 */
export class RedisChangeLog implements NetworkedStore, TenantStore, MovableStore {
  readonly supports: Supports = { durable: true, sharedByProcesses: true, facts: true, channels: true }
  readonly #given: string | RedisClient
  readonly #parent: RedisChangeLog | null
  readonly #options: Resolved
  readonly #session: Session
  readonly #reader: Reader
  readonly #states: Together<null, LogState>
  readonly #heads: Together<readonly HeadKey[], HeadAnswer[]>
  readonly #commits: Commits
  readonly #watch: Watch
  readonly #mover: Mover
  #opening: Promise<void> | null = null
  #closing: Promise<void> | null = null
  #atRest = false
  #filedBy = ''
  #running = 0
  readonly #idle: Array<() => void> = []

  /** @param parent whose connection it shares, where it is the log of a tenant */
  constructor (given: string | RedisClient, options: RedisLogOptions = {}, parent: RedisChangeLog | null = null) {
    this.#given = given
    this.#options = resolveOptions(options)
    this.#parent = parent
    const { prefix, tenant, now } = this.#options
    this.#session = new Session({ connect: parent === null ? () => openRedis(given) : () => parent.#session.redis(), keys: keysOf(prefix, tenant), now })
    this.#reader = new Reader(this.#session)
    this.#states = asOne(() => this.#reader.state())
    this.#heads = asOneList(keys => this.#reader.heads(keys))
    this.#commits = new Commits({ ...this.#options, filedBy: () => this.#filedBy, session: this.#session, replaced: head => this.#reader.replaced(head) })
    this.#watch = new Watch(this.#session)
    this.#mover = new Mover(this.#session, this.#reader)
  }

  open (): Promise<void> {
    this.#atRest = false
    return this.#during(async () => {})
  }

  commit (push: Push): Promise<Committed> {
    return this.#during(() => {
      this.#watch.assertKept()
      return this.#commits.add({ push }) as Promise<Committed>
    })
  }

  heads (keys: readonly HeadKey[]): Promise<HeadAnswer[]> {
    return this.#during(() => this.#heads.add(keys))
  }

  read (query: ReadQuery): Promise<Page> {
    return this.#during(() => this.#reader.page(query))
  }

  entries (sequences: readonly number[]): Promise<Array<StoredEntry | null>> {
    return this.#during(() => this.#reader.entries(sequences))
  }

  history (key: DocumentKey, { before = Infinity, limit = PAGE }: Slice = {}): Promise<StoredEntry[]> {
    return this.#during(() => this.#reader.history(key, before, limit))
  }

  journal (query: JournalQuery = {}): Promise<JournalRow[]> {
    return this.#during(() => this.#reader.journal(query))
  }

  discardJournal (ids: readonly number[]): Promise<number> {
    return this.#during(() => this.#reader.discard(ids))
  }

  collections (): Promise<string[]> {
    return this.#during(() => this.#reader.collections())
  }

  horizon (): Promise<number> {
    return this.#during(async () => (await this.#states.add(null)).horizon)
  }

  epochs (): Promise<readonly Epoch[]> {
    return this.#during(async () => (await this.#states.add(null)).epochs)
  }

  secret (): Promise<Uint8Array> {
    return this.#during(() => this.#reader.secret())
  }

  file (name: string, channelsOf: Filer): Promise<void> {
    return this.#during(async () => {
      await fileAnew(this.#session, { name, channelsOf, goOn: () => this.#requireOpen() })
      this.#filedBy = name
    })
  }

  filing (): Promise<string> {
    return this.#during(async () => (await this.#states.add(null)).filing)
  }

  append (change: ChangeEntry): Promise<void> {
    return this.#during(async () => {
      for (;;) if (await this.#append(change)) return
    })
  }

  getSince (sequence: number, limit = PAGE): Promise<ChangeEntry[]> {
    return this.#during(() => this.#reader.since(sequence, limit))
  }

  getForCollection (collection: string, since: number): Promise<ChangeEntry[]> {
    return this.#during(() => this.#reader.sinceOf(collection, since))
  }

  get (id: string): Promise<ChangeEntry | null> {
    return this.#during(() => this.#reader.byId(id))
  }

  getCurrentSequence (): Promise<number> {
    return this.#during(async () => (await this.#states.add(null)).head)
  }

  compact (policy: CompactPolicy = { historyBefore: Infinity }): Promise<void> {
    return this.#during(() => compact(this.#session, policy, () => this.#closing === null))
  }

  clear (): Promise<void> {
    return this.#during(() => clearLog(this.#session, this.#options.now()))
  }

  async openAtRest (): Promise<void> {
    this.#atRest = this.#opening === null
    await this.#during(() => this.#reader.state())
  }

  facts (): Promise<LogFacts> {
    return this.#during(() => this.#mover.facts())
  }

  place (): Promise<string> {
    return this.#during(async () => String(await this.#session.run(PLACE, [])))
  }

  part (from: string | null, size: number): Promise<MovedPart> {
    return this.#during(() => this.#mover.part(from, size))
  }

  begin (source: MoveSource): Promise<{ progress: string | null }> {
    return this.#moving(async () => {
      if (this.#opening !== null) throw new TypeError('this log is being served: name a new place')
      await this.#watch.open()
      return await this.#mover.begin(source)
    })
  }

  take (records: readonly MovedRecord[], progress: string): Promise<void> {
    return this.#moving(() => this.#mover.take(records, progress))
  }

  end (facts: LogFacts): Promise<void> {
    return this.#moving(() => this.#mover.end(facts))
  }

  async server (): Promise<LogServer> {
    this.#requireOpen()
    return { kind: 'redis', redis: await this.#session.redis(), prefix: this.#options.prefix }
  }

  tenant (name: string): ChangeStore {
    return new RedisChangeLog(this.#given, { ...this.#options, tenant: name }, this)
  }

  health (): StoreHealth {
    if (this.#closing !== null) return { writable: false, detail: 'The change log is closed.' }
    return this.#watch.health()
  }

  stats (): Readonly<Record<string, number>> {
    return {}
  }

  close (): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close (): Promise<void> {
    if (this.#running > 0) await new Promise<void>(resolve => { this.#idle.push(resolve) })
    this.#watch.close()
    await this.#session.close(this.#parent === null)
  }

  /** @returns false where another entry came between: the document then has another head */
  async #append (change: ChangeEntry): Promise<boolean> {
    const [{ head }] = await this.#reader.heads([change]) as [HeadAnswer]
    appendedSequence(change.sequence, (await this.#reader.state()).head)
    const push = appendedPush(change, head, this.#options.now())
    const result = await this.#commits.add({ push, id: change.id || null, sequence: change.sequence ?? 0 })
    if (result.status === 'taken') throw new TypeError(`the log already has an entry with the id ${change.id}`)
    if (result.status === 'late') appendedSequence(change.sequence, result.head)
    return result.status === 'committed'
  }

  async #during<T> (work: () => Promise<T>): Promise<T> {
    return await this.#moving(async () => {
      await this.#opened()
      return await work()
    })
  }

  /** What was begun before `close` is finished. */
  async #moving<T> (work: () => Promise<T>): Promise<T> {
    this.#requireOpen()
    this.#running++
    try {
      return await work()
    } finally {
      if (--this.#running === 0) for (const done of this.#idle.splice(0)) done()
    }
  }

  async #opened (): Promise<void> {
    this.#session.rest(this.#atRest)
    if (this.#atRest) return
    this.#opening ??= this.#watch.open().then(() => this.#session.open()).catch((error: unknown) => {
      this.#opening = null
      throw error
    })
    await this.#opening
  }

  #requireOpen (): void {
    if (this.#closing !== null) throw closedFailure()
  }
}
