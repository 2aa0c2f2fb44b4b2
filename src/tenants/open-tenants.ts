/**
 * Which tenants' logs are open: as many as there may be at once. Those that nobody uses are closed for others, the least
 * recently used first; where all are in use, who comes waits for a moment. Opening one is shared by all who wait for it.
 */
import { SyncError } from '../errors.ts'
import type { Clock } from '../sync/clock.ts'
import { inTime, late } from '../sync/in-time.ts'

export interface OpenTenantsDeps<T> {
  readonly open: (name: string) => Promise<T>
  /** What it throws is told to `onError`: the log counts as closed. */
  readonly close: (opened: T) => Promise<void>
  /** Whether something uses it that no work waits for: streams. */
  readonly isKept: (opened: T) => boolean
  /** Open at once, those included that are being closed. */
  readonly most: number
  readonly clock: Clock
  readonly onError: (error: unknown, name: string) => void
}

/** How long work waits for its tenant, ms; opening goes on. */
const PATIENCE = 2000
/** Attack: tenants without end that ask to be opened. So many wait; the next are told to come later. */
const WAITING = 1000
/** Opened at once: each takes the disk or the database, and others have pushes to write. */
const OPENINGS = 4
/** How long a log that could not be opened is not tried again, ms. */
const PAUSE = 1000
/** Attack: failures without end that are remembered. */
const FAILURES = 1000

interface Slot<T> {
  readonly name: string
  /** Work that runs on it, or waits for it. */
  users: number
  opened: T | null
  readonly ready: Promise<T>
  readonly resolve: (opened: T) => void
  readonly reject: (error: unknown) => void
}

interface Failure {
  readonly error: unknown
  readonly until: number
}

export class OpenTenants<T> {
  readonly #deps: OpenTenantsDeps<T>
  /** Those that are open, opening or waiting; the least recently used first. */
  readonly #slots = new Map<string, Slot<T>>()
  readonly #waiting = new Set<Slot<T>>()
  readonly #closing = new Map<string, Promise<void>>()
  readonly #failures = new Map<string, Failure>()
  #opening = 0
  #closed = false

  constructor (deps: OpenTenantsDeps<T>) {
    this.#deps = deps
  }

  /** Held open by this: also those that are being opened or closed. */
  get size (): number {
    return this.#slots.size - this.#waiting.size + this.#closing.size
  }

  /** Names of all that are open. */
  get names (): string[] {
    return [...this.#slots.values()].filter(({ opened }) => opened !== null).map(({ name }) => name)
  }

  * opened (): Generator<T> {
    for (const { opened } of this.#slots.values()) if (opened !== null) yield opened
  }

  /**
   * Opens a tenant's log where it is not open, and keeps it until the work has ended.
   * @throws SyncError overloaded, draining, what opening throws
   */
  async within<R> (name: string, work: (opened: T) => R | Promise<R>): Promise<R> {
    const slot = this.#slots.get(name) ?? this.#newSlot(name)
    // As the most recently used.
    this.#slots.delete(name)
    this.#slots.set(name, slot)
    return await this.#use(slot, work)
  }

  /** The same where it is open, which makes it no more recently used; else nothing. */
  async whileOpen (name: string, work: (opened: T) => Promise<void>): Promise<void> {
    const slot = this.#slots.get(name)
    if (slot !== undefined && slot.opened !== null) await this.#use(slot, work)
  }

  /** Something that kept a log is gone: another may take its place. */
  freed (): void {
    if (this.#waiting.size > 0) this.#openNext()
  }

  /** Waits for no work. */
  async close (): Promise<void> {
    this.#closed = true
    for (const slot of this.#waiting) this.#giveUp(slot, new SyncError('draining'))
    await Promise.allSettled([...this.#slots.values()].map(({ ready }) => ready))
    for (const slot of [...this.#slots.values()]) this.#close(slot)
    await Promise.all(this.#closing.values())
  }

  async #use<R> (slot: Slot<T>, work: (opened: T) => R | Promise<R>): Promise<R> {
    slot.users++
    try {
      return await work(slot.opened ?? await this.#patiently(slot))
    } finally {
      slot.users--
      if (slot.users === 0 && this.#waiting.has(slot)) this.#giveUp(slot, new SyncError('overloaded'))
      this.freed()
    }
  }

  async #patiently ({ ready }: Slot<T>): Promise<T> {
    const opened = await inTime(() => ready, PATIENCE, this.#deps.clock)
    if (opened === late) throw tooMany()
    if (this.#closed) throw new SyncError('draining')
    return opened
  }

  #newSlot (name: string): Slot<T> {
    if (this.#closed) throw new SyncError('draining')
    const failure = this.#failures.get(name)
    if (failure !== undefined && this.#deps.clock.now() < failure.until) throw failure.error
    if (this.#waiting.size >= WAITING) throw tooMany()
    const slot = slotOf<T>(name)
    this.#slots.set(name, slot)
    this.#waiting.add(slot)
    this.#openNext()
    return slot
  }

  #openNext (): void {
    for (const slot of this.#waiting) {
      if (this.#opening >= OPENINGS) return
      // One that is being closed is opened again once that is done.
      if (this.#closing.has(slot.name)) continue
      if (this.size >= this.#deps.most) {
        if (this.#closing.size < this.#waiting.size) this.#makeRoom()
        return
      }
      this.#waiting.delete(slot)
      this.#open(slot).catch(() => {})
    }
  }

  #makeRoom (): void {
    for (const slot of this.#slots.values()) {
      if (slot.opened === null || slot.users > 0 || this.#deps.isKept(slot.opened)) continue
      this.#close(slot)
      return
    }
  }

  async #open (slot: Slot<T>): Promise<void> {
    const { open, clock } = this.#deps
    this.#opening++
    try {
      slot.opened = await open(slot.name)
      this.#failures.delete(slot.name)
      slot.resolve(slot.opened)
    } catch (error) {
      if (this.#failures.size >= FAILURES) this.#failures.clear()
      this.#failures.set(slot.name, { error, until: clock.now() + PAUSE })
      this.#giveUp(slot, error)
    }
    this.#opening--
    this.freed()
  }

  #giveUp (slot: Slot<T>, error: unknown): void {
    this.#slots.delete(slot.name)
    this.#waiting.delete(slot)
    slot.reject(error)
  }

  #close ({ name, opened }: Slot<T>): void {
    this.#slots.delete(name)
    if (opened === null) return
    const closing = this.#deps.close(opened).catch((error: unknown) => { this.#deps.onError(error, name) }).then(() => {
      this.#closing.delete(name)
      this.freed()
    })
    this.#closing.set(name, closing)
  }
}

function slotOf<T> (name: string): Slot<T> {
  let settle: Pick<Slot<T>, 'resolve' | 'reject'>
  const ready = new Promise<T>((resolve, reject) => { settle = { resolve, reject } })
  // Who waits is told; perhaps nobody does any more.
  ready.catch(() => {})
  return { name, users: 0, opened: null, ready, ...settle! }
}

function tooMany (): SyncError {
  return new SyncError('overloaded', { detail: 'Too many tenants are in use at the moment; nothing was written.' })
}
