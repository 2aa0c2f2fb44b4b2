/**
 * What one reader may see of the log: the same for a pull and a live batch, and asked anew for each (DESIGN 7). The
 * pages are cut by the store; a view says which channels to read, which rows to show, and by which digest a
 * checkpoint shows that the reader's rights are still those it was made under.
 */
import { createHmac } from 'node:crypto'
import type { User } from '../access.ts'
import type { Row } from '../changelog/changelog.ts'
import type { Clock } from './clock.ts'
import { SyncError } from '../errors.ts'
import { Judge, type Judged, type JudgeDeps } from './judge.ts'

export interface View {
  /** Readers whose views have the same key are sent the same, checkpoints too, and share what is encoded for them. */
  readonly key: string
  /** What their checkpoints carry; undefined where documents alone decide. */
  readonly scope: string | undefined
  /** undefined: whatever there is. */
  readonly channels: readonly string[] | undefined
  /** Whether superseded versions decide what is removed: then a checkpoint is worth no more than they are kept. */
  readonly looksBack: boolean
  /** As far as one page goes; null where all rows are shown as they are. */
  readonly judge: ((rows: readonly Row[]) => Promise<Judged>) | null
  /** The same for who holds nothing yet: removals need not be told. */
  readonly judgeLive: View['judge']
  /**
   * Asked once what is shown of a page is known: `authorize` answers with the rights of its own moment about versions
   * that were read before, and one that was overwritten before the rights came was never to be seen. Rejects with
   * SyncError access_unavailable when they are others than the view's; null where nothing would tell.
   */
  readonly assertKept: (() => Promise<void>) | null
}

/** Of a server without rules: everybody sees everything. */
export const everything: View = { key: '', scope: undefined, channels: undefined, looksBack: false, judge: null, judgeLive: null, assertKept: null }

/** Whether a page looks the same to everybody who has such a view. */
export function showsAll ({ channels, judge }: View): boolean {
  return channels === undefined && judge === null
}

export interface ViewDeps extends JudgeDeps {
  readonly clock: Pick<Clock, 'now'>
}

/** Of one reader: what must be looked through for a page, and what a change of it costs, stays bounded. */
const CHANNELS = 1000
const CHANNEL_BYTES = 256
const DIGEST_CHARACTERS = 16
/** How long the secret and filing of a log that other nodes share are believed, ms: one of them may file it anew, and what was lost begins with another secret. */
const BELIEVED = 5000

interface OfLog {
  /** In base64. */
  readonly secret: string
  readonly filing: string
}

export class Views {
  readonly #deps: ViewDeps
  readonly #open: boolean
  #made: Promise<OfLog> | undefined
  #madeAt = 0
  /** The newest digest of a user: most ask again with the same rights. */
  readonly #scopes = new WeakMap<User, { readonly rights: string, readonly scope: string, readonly secret: string }>()
  readonly #numbers = new WeakMap<User, number>()
  #users = 0

  constructor (deps: ViewDeps) {
    this.#deps = deps
    const { authorize, channelsOf, accessVersion } = deps.rules
    this.#open = authorize === null && channelsOf === null && accessVersion === null
  }

  /**
   * A reader's view as of now.
   * @throws SyncError access_unavailable when the application cannot say
   */
  of (user: User | null): View | Promise<View> {
    return this.#open ? everything : this.#of(user)
  }

  async #of (user: User | null): Promise<View> {
    const { authorize } = this.#deps.rules
    const { channels, scope } = await this.#rights(user)
    const assertKept = authorize === null || scope === undefined ? null : () => this.#assertKept(user, scope)
    const common = { key: this.#key(user, scope), scope, channels, looksBack: authorize !== null, assertKept }
    if (authorize === null && channels === undefined) return { ...common, judge: null, judgeLive: null }
    const judge = new Judge(this.#deps, user, channels)
    return { ...common, judge: rows => judge.judge(rows), judgeLive: rows => judge.judgeLive(rows) }
  }

  async #rights (user: User | null): Promise<Pick<View, 'channels' | 'scope'>> {
    const [channels, version] = await Promise.all([this.#channels(user), this.#version(user)])
    const scope = user === null || (channels === undefined && version === undefined) ? undefined : await this.#scope(user, [user.id, channels ?? null, version ?? null])
    return { channels, scope }
  }

  async #assertKept (user: User | null, scope: string): Promise<void> {
    if ((await this.#rights(user)).scope !== scope) throw new SyncError('access_unavailable', { detail: 'What you may see changed while this was made; nothing was shown.' })
  }

  async #channels (user: User | null): Promise<readonly string[] | undefined> {
    const { access, rules: { channelsOf } } = this.#deps
    if (channelsOf === null) return undefined
    return user === null ? [] : await access.ask('channelsOf', () => channelsOf(user), checkedChannels)
  }

  async #version (user: User | null): Promise<string | number | undefined> {
    const { access, rules: { accessVersion } } = this.#deps
    if (accessVersion === null || user === null) return undefined
    return await access.ask('accessVersion', () => accessVersion(user), checkedVersion)
  }

  /** @param standing the user and what the rights rest on; beside them, how the documents are filed */
  async #scope (user: User, standing: readonly unknown[]): Promise<string> {
    const log = await this.#log()
    const rights = JSON.stringify([...standing, log.filing])
    const known = this.#scopes.get(user)
    if (known?.rights === rights && known.secret === log.secret) return known.scope
    const scope = createHmac('sha256', Buffer.from(log.secret, 'base64')).update(rights).digest('base64url').slice(0, DIGEST_CHARACTERS)
    this.#scopes.set(user, { rights, scope, secret: log.secret })
    return scope
  }

  /** Neither changes while one node alone serves a log. */
  #log (): Promise<OfLog> {
    const { clock, store } = this.#deps
    if (this.#made === undefined || (store.supports.sharedByProcesses && Math.abs(clock.now() - this.#madeAt) > BELIEVED)) {
      this.#made = this.#ofLog()
      this.#madeAt = clock.now()
    }
    return this.#made
  }

  async #ofLog (): Promise<OfLog> {
    const { store } = this.#deps
    try {
      return { secret: Buffer.from(await store.secret()).toString('base64'), filing: await store.filing() }
    } catch (error) {
      this.#made = undefined
      throw error
    }
  }

  /** What `authorize` says may rest on anything about a user, so only the same user is alike. */
  #key (user: User | null, scope: string | undefined): string {
    if (user === null) return 'nobody'
    if (this.#deps.rules.authorize === null) return `~${scope}`
    const number = this.#numbers.get(user) ?? ++this.#users
    this.#numbers.set(user, number)
    return `${number}~${scope}`
  }
}

/**
 * Of readers of public collections alone: whoever asks, nothing of them is hidden. What a user is told carries their
 * digest all the same, or pulls and streams could not go on from there.
 */
export class PublicViews extends Views {
  override of (user: User | null): View | Promise<View> {
    if (user === null) return everything
    const view = super.of(user)
    return view instanceof Promise ? view.then(withScope) : withScope(view)
  }
}

function withScope ({ scope }: View): View {
  return scope === undefined ? everything : { ...everything, scope }
}

/** @returns each once, sorted @throws TypeError */
function checkedChannels (answer: unknown): string[] {
  if (!Array.isArray(answer)) throw new TypeError('channelsOf did not answer with an array')
  const channels = new Set<string>()
  for (const channel of answer as unknown[]) {
    if (typeof channel !== 'string' || channel === '' || Buffer.byteLength(channel) > CHANNEL_BYTES) {
      throw new TypeError(`channelsOf answered with something else than strings of 1 to ${CHANNEL_BYTES} bytes`)
    }
    channels.add(channel)
    if (channels.size > CHANNELS) throw new TypeError(`channelsOf answered with more than ${CHANNELS} channels`)
  }
  return [...channels].sort()
}

/** @throws TypeError */
function checkedVersion (answer: unknown): string | number {
  if (typeof answer !== 'string' && !Number.isFinite(answer)) throw new TypeError('accessVersion answered with neither a string nor a finite number')
  return answer as string | number
}
