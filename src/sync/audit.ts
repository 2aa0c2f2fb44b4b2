/**
 * Tells operators who was refused, and what they did themselves: as log lines, and to the application. Never holds a
 * token or a document. Refusals come as fast as an attacker likes, so of an address and a code one is told at once, and
 * then how many there were, once a second.
 */
import type { AuditEvent, OnAudit } from '../audit-event.ts'
import type { Logger } from '../config.ts'
import type { Clock } from './clock.ts'

export interface AuditDeps {
  readonly clock: Clock
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  readonly onAudit: OnAudit
}

type Facts = Pick<AuditEvent, 'userId' | 'clientId' | 'address' | 'tenant' | 'collection' | 'documentId'>

/** What is not known of an event is null. */
export type Noted = Pick<AuditEvent, 'type' | 'code'> & Partial<Facts>

/** ms */
const WINDOW = 1000
/** Addresses and codes told apart; from then on codes alone, so that many addresses do not fill the log either. */
const WINDOWS = 100

const nothing: Facts = { userId: null, clientId: null, address: null, tenant: null, collection: null, documentId: null }

export class Audit {
  readonly #deps: AuditDeps
  /** What came since it was last told; null for nothing. */
  readonly #windows = new Map<string, AuditEvent | null>()
  #cancel: (() => void) | null = null

  constructor (deps: AuditDeps) {
    this.#deps = deps
  }

  /** Of which there cannot be many. */
  note (noted: Noted): void {
    this.#tell(this.#event(noted))
  }

  /** Somebody was refused. */
  refused (noted: Noted): void {
    const event = this.#event(noted)
    const own = `${event.code} ${event.address}`
    const key = this.#windows.has(own) || this.#windows.size < WINDOWS ? own : event.code
    const before = this.#windows.get(key)
    if (before === undefined) this.#tell(event)
    this.#windows.set(key, before === undefined ? null : before === null ? event : merged(before, event))
    this.#cancel ??= this.#deps.clock.after(WINDOW, () => this.#endWindows())
  }

  /** The same, of what concerns one tenant's log. */
  of (tenant: string | null): Pick<Audit, 'note' | 'refused'> {
    if (tenant === null) return this
    return { note: noted => this.note({ ...noted, tenant }), refused: noted => this.refused({ ...noted, tenant }) }
  }

  /** Tells what is left to be told. */
  close (): void {
    this.#cancel?.()
    for (const event of this.#windows.values()) if (event !== null) this.#tell(event)
    this.#windows.clear()
  }

  /** One in which nothing came is over; the others go on. */
  #endWindows (): void {
    for (const [key, event] of this.#windows) {
      if (event === null) this.#windows.delete(key)
      else {
        this.#windows.set(key, null)
        this.#tell(event)
      }
    }
    this.#cancel = this.#windows.size === 0 ? null : this.#deps.clock.after(WINDOW, () => this.#endWindows())
  }

  #event (noted: Noted): AuditEvent {
    return { ...nothing, ...noted, time: this.#deps.clock.now(), count: 1 }
  }

  #tell (event: AuditEvent): void {
    const { logger, onAudit } = this.#deps
    const { time, ...fields } = event
    const known = Object.fromEntries(Object.entries(fields).filter(([name, value]) => value !== null && !(name === 'count' && value === 1)))
    if (event.type === 'denied' || event.type === 'unauthenticated') logger.warn({ audit: known }, `audit: ${event.type}`)
    else logger.info({ audit: known }, `audit: ${event.type}`)
    try {
      onAudit(event)
    } catch (error) {
      logger.error({ err: error }, 'onAudit failed')
    }
  }
}

function merged (before: AuditEvent, event: AuditEvent): AuditEvent {
  const same = <Name extends keyof Facts>(name: Name): string | null => before[name] === event[name] ? event[name] : null
  return {
    ...event,
    userId: same('userId'),
    clientId: same('clientId'),
    address: same('address'),
    tenant: same('tenant'),
    collection: same('collection'),
    documentId: same('documentId'),
    count: before.count + 1
  }
}
