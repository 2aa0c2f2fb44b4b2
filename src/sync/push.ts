/** A push: decide each change, commit all of them in one atomic step, answer with a result for each. */
import type { Checkpoint } from '../../schema/checkpoint.ts'
import type { ChangeStore } from '../changelog/changelog.ts'
import type { Limits } from '../config.ts'
import type { ErrorItem } from '../errors.ts'
import type { Caller } from './caller.ts'
import type { Clock } from './clock.ts'
import type { Doorbell } from './doorbell.ts'

export interface PushMessage {
  readonly id: string
  readonly timestamp: number
  readonly collection: string
  /** Objects; whether each is a change is asked one by one (promise 7). */
  readonly changes: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly checkpoint?: Checkpoint | undefined
  readonly epoch?: string | undefined
  readonly atomic?: boolean | undefined
  /** Changes that were refused before they were looked at, by index. */
  readonly condemned: ReadonlyMap<number, { readonly error: ErrorItem, readonly raw: string }>
}

export interface PushDeps {
  readonly store: ChangeStore
  readonly bell: Doorbell
  readonly clock: Clock
  readonly limits: Limits
  /** Whether a change has the form a change must have; null when it has. */
  readonly checkChange: (change: unknown, index: number) => ErrorItem | null
}

export interface PushAnswer {
  /** JSON text of the push-response. */
  readonly body: string
  /** The push was seen before, and this is its first answer. */
  readonly replayed: boolean
}

export class Pushes {
  readonly #deps: PushDeps

  constructor (deps: PushDeps) {
    this.#deps = deps
  }

  /** Changes received, not yet committed. */
  get pending (): number {
    return 0
  }

  /** @throws SyncError too_large, resync_required, id_reused, busy, storage_unavailable */
  async push (message: PushMessage, caller: Caller): Promise<PushAnswer> {
    throw new Error(`not built yet: ${message.id} ${String(caller.clientId)} ${String(this.#deps)}`)
  }
}
