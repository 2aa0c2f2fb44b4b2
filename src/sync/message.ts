/** A push as the rules get it: its envelope has the right form, its changes are yet to be looked at. */
import type { Checkpoint } from '../../schema/checkpoint.ts'
import type { Channels } from '../access.ts'
import type { Collections } from '../collections.ts'
import type { Limits } from '../config.ts'
import type { ErrorItem } from '../errors.ts'
import type { Access } from './access.ts'
import type { Audit } from './audit.ts'
import type { Sight } from './sight.ts'
import type { WaitDeps } from './wait.ts'

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

export interface PushDeps extends WaitDeps {
  readonly limits: Limits
  readonly access: Access
  readonly sight: Sight
  /** Files documents under channels; null where there are none. */
  readonly channels: Channels | null
  /** Who is told of changes that nobody may make. */
  readonly audit: Pick<Audit, 'refused'>
  /** Whether a change has the form a change must have; null when it has. */
  readonly checkChange: (change: unknown, index: number) => ErrorItem | null
  readonly conflicts: Collections & {
    /** What a rule of the application did wrong: for the operator, not for the client. */
    readonly onError: (error: unknown, document: { readonly collection: string, readonly documentId: string }) => void
  }
}
