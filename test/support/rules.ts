/** The rules over a store in memory, with a clock that tests own. */
import type { ChangeStore } from '../../src/changelog/changelog.ts'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { resolveAccess, type AccessOptions, type User } from '../../src/access.ts'
import { resolveCollections, type CollectionOptions } from '../../src/collections.ts'
import { defaultLimits, type Limits } from '../../src/config.ts'
import { MemoryPubSub } from '../../src/pubsub/memory.ts'
import type { Caller } from '../../src/sync/caller.ts'
import type { Clock } from '../../src/sync/clock.ts'
import { Access } from '../../src/sync/access.ts'
import { Doorbell } from '../../src/sync/doorbell.ts'
import { Pulls } from '../../src/sync/pull.ts'
import type { PushMessage } from '../../src/sync/message.ts'
import { Pushes } from '../../src/sync/push.ts'
import { PageCache, ReadyPages } from '../../src/sync/ready.ts'
import { Sight } from '../../src/sync/sight.ts'
import { Views } from '../../src/sync/view.ts'
import type { Checkpoint } from '../../schema/checkpoint.ts'
import type { PushResponse } from '../../schema/push-response.ts'

export const START = 1_700_000_000_000

/** Time stands still until a test moves it; real timers would make tests slow and their order a matter of luck. */
export class TestClock implements Clock {
  time = START
  readonly #due = new Set<{ at: number, callback: () => void }>()

  now (): number {
    return this.time
  }

  after (ms: number, callback: () => void): () => void {
    const timer = { at: this.time + ms, callback }
    this.#due.add(timer)
    return () => { this.#due.delete(timer) }
  }

  advance (ms: number): void {
    this.time += ms
    for (const timer of [...this.#due].sort((a, b) => a.at - b.at)) {
      if (timer.at <= this.time && this.#due.delete(timer)) timer.callback()
    }
  }
}

export interface Rules {
  readonly store: ChangeStore
  readonly clock: TestClock
  readonly bell: Doorbell
  readonly pushes: Pushes
  readonly pulls: Pulls
  readonly views: Views
  readonly ready: ReadyPages
  /** What an own rule for conflicts did wrong. */
  readonly errors: readonly unknown[]
  close (): Promise<void>
}

export interface RuleOptions extends CollectionOptions, AccessOptions {
  limits?: Partial<Limits>
  store?: ChangeStore
  /** Bytes of full pages that are kept ready; default 100,000. */
  readyBytes?: number
  collections?: Record<string, CollectionOptions>
}

export async function openRules ({ limits = {}, store, readyBytes = 100_000, ...options }: RuleOptions = {}): Promise<Rules> {
  const clock = new TestClock()
  const log = store ?? new MemoryChangeLog({ now: () => clock.now() })
  await log.open()
  const pubsub = new MemoryPubSub()
  const bell = new Doorbell(pubsub, clock, 1000)
  await bell.open()
  const errors: unknown[] = []
  const conflicts = { ...resolveCollections(options), onError: (error: unknown) => { errors.push(error) } }
  const rules = resolveAccess(options)
  const whole = { ...defaultLimits, ...limits }
  const access = new Access({ rules, clock, limits: whole, onError: error => { errors.push(error) } })
  const views = new Views({ store: log, access, rules, clock })
  const deps = { store: log, bell, clock, limits: whole, checkChange: () => null, conflicts, access, views, sight: new Sight({ store: log, rules, access, views }), channels: rules.channels, audit: { refused () {} }, ready: new ReadyPages(log, new PageCache(readyBytes)) }
  const close = async (): Promise<void> => {
    await bell.close()
    await pubsub.close()
    await log.close()
  }
  return { store: log, clock, bell, errors, views, ready: deps.ready, pushes: new Pushes(deps), pulls: new Pulls(deps), close }
}

export interface TestChange {
  operation?: string
  documentId: string
  document?: Record<string, unknown> | null
  timestamp?: number
  base?: number
  sequence?: number
  previousDocument?: Record<string, unknown>
}

let messages = 0

export interface TestPush {
  id?: string
  collection?: string
  changes: TestChange[]
  checkpoint?: Checkpoint
  epoch?: string
  atomic?: boolean
  condemned?: PushMessage['condemned']
}

/** Pushes as a client would, and reads the answer. */
export async function push (rules: Rules, message: TestPush, caller: Partial<Caller> = {}): Promise<PushResponse & { replayed: boolean }> {
  const { condemned = new Map(), id = `m${++messages}`, collection = 'todos', changes, ...rest } = message
  const complete = changes.map(change => ({ operation: 'update', timestamp: START, ...change }))
  const answer = await rules.pushes.push(
    { id, collection, timestamp: START, changes: complete, condemned, ...rest },
    { user: null, clientId: null, address: null, ...caller }
  )
  return { ...JSON.parse(answer.body) as PushResponse, replayed: answer.replayed }
}

export interface TestPage {
  changes: Record<string, Array<{ operation: string, documentId: string, document: Record<string, unknown> | null, timestamp: number, sequence: number }>>
  checkpoint: Checkpoint
  hasMore: boolean
  epoch: string
}

export interface TestPull { collections?: string[], checkpoint?: Checkpoint, epoch?: string, limit?: number, waitMs?: number, user?: User | null }

export async function pull (rules: Rules, request: TestPull = {}, signal?: AbortSignal): Promise<TestPage> {
  const { collections = ['todos'], user = null, ...rest } = request
  const answer = await rules.pulls.pull({ type: 'pull', id: 'p', timestamp: START, collections, ...rest }, user, signal)
  return { changes: JSON.parse(String(answer.changes)) as TestPage['changes'], checkpoint: answer.checkpoint, hasMore: answer.hasMore, epoch: answer.epoch }
}

/** All pages from a checkpoint on, folded into the documents a replica then holds. */
export async function replicate (rules: Rules, { limit = 100, collections = ['todos'], into = new Map<string, string>(), from = {} as { checkpoint?: Checkpoint, epoch?: string } } = {}): Promise<{ documents: Map<string, string>, checkpoint: Checkpoint, epoch: string, pages: number }> {
  let { checkpoint = { global: 0 }, epoch } = from
  for (let pages = 1; ; pages++) {
    const page: TestPage = await pull(rules, { collections, limit, checkpoint, ...(epoch === undefined ? {} : { epoch }) })
    apply(into, page.changes)
    checkpoint = page.checkpoint
    epoch = page.epoch
    if (!page.hasMore) return { documents: into, checkpoint, epoch, pages }
  }
}

/** What a client does with a page: insert and update are both an upsert. */
export function apply (documents: Map<string, string>, changes: TestPage['changes']): void {
  for (const [collection, list] of Object.entries(changes)) {
    for (const change of list) {
      const key = `${collection}/${change.documentId}`
      if (change.operation === 'delete') documents.delete(key)
      else documents.set(key, JSON.stringify(change.document))
    }
  }
}
