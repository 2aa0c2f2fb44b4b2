/** Seals entries now and then, so that what was written long ago is in the audit chain. */
import type { AuditStore } from '../changelog/audit.ts'
import type { ChangeStore } from '../changelog/changelog.ts'
import type { Logger } from '../config.ts'
import type { Clock } from './clock.ts'

/** Between two looks, ms. */
const INTERVAL = 60_000
/** How long an entry waits at most until its block is full, ms: shorter would make many small blocks. */
const PATIENCE = 3_600_000

export interface SealingDeps {
  readonly store: AuditStore
  readonly clock: Clock
  readonly logger: Pick<Logger, 'error'>
}

/** Whether the store has an audit chain. */
export function isAudited (store: ChangeStore): store is ChangeStore & AuditStore {
  return 'seal' in store
}

export class Sealing {
  readonly #deps: SealingDeps
  #cancel = (): void => {}
  #closed = false

  constructor (deps: SealingDeps) {
    this.#deps = deps
  }

  open (): void {
    if (!this.#closed) this.#cancel = this.#deps.clock.after(INTERVAL, () => this.#run())
  }

  close (): void {
    this.#closed = true
    this.#cancel()
  }

  async round (): Promise<void> {
    const { store, clock, logger } = this.#deps
    try {
      await store.seal(clock.now() - PATIENCE)
    } catch (error) {
      if (!this.#closed) logger.error({ err: error }, 'entries could not be sealed; the next run tries again')
    }
  }

  #run (): void {
    const next = (): void => this.open()
    this.round().then(next, next)
  }
}
