/** Asking the log by scripts: each answer is of one moment, and of the stretch of history that it says. */
import { randomBytes } from 'node:crypto'
import type { Redis, RedisArgument } from '../../drivers/redis.ts'
import { SyncError } from '../../errors.ts'
import type { Epoch } from '../changelog.ts'
import { entryId, newEpochId } from '../entry.ts'
import { closedFailure, concernsWriting, failure } from './failure.ts'
import type { KeyName, Script } from './layout.ts'
import { OPEN } from './lua/open.ts'

/** What is true of the log as a whole in the moment of an answer. */
export interface LogState {
  readonly head: number
  readonly horizon: number
  readonly historyHorizon: number
  /** Identities from before this time are not known any more, ms. */
  readonly identitiesBefore: number
  readonly filing: string
  readonly filedBy: string
  /** Oldest first. */
  readonly epochs: readonly Epoch[]
}

/** An answer of a script after its state: Buffers, numbers, lists. */
export interface Answer {
  readonly state: LogState
  readonly values: readonly any[]
}

export interface SessionParts {
  readonly connect: () => Promise<Redis>
  readonly keys: Readonly<Record<KeyName, string>>
  readonly now: () => number
}

/** How far the log went, as this node has seen it: by that a log that went back is known. */
interface Known {
  readonly log: string
  /** Oldest first; empty while nothing is known. */
  readonly epochs: readonly Epoch[]
  /** The highest sequence seen in the newest epoch, and the checksum of that entry, where it has one. */
  readonly head: number
  readonly mark: Uint8Array
}

const NOTHING: Known = { log: '', epochs: [], head: 0, mark: new Uint8Array() }

function told ({ log, epochs, head, mark }: Known): RedisArgument[] {
  return [log, epochs.at(-1)?.id ?? '', head, mark]
}

/** What a script is told that takes the log as it is. */
export const KNOWS_NOTHING: readonly RedisArgument[] = [...told(NOTHING), '0']

/** A log that was restarted again and again under one question is not a log to ask. */
const ATTEMPTS = 5

const REFUSALS: ReadonlyMap<string, string> = new Map([
  ['moving', 'This log is the target of a move that has not ended: go on with `pocket-server copy`, or remove its keys.'],
  ['damaged', 'Keys of this log are gone from Redis while others are there: restore a backup, or remove all keys of its prefix to begin anew. Was another maxmemory-policy than noeviction set?'],
  ['filed', 'The log is filed by the `channels` of another node: restart this one with the same. Nothing was written.'],
  ['none', 'There is no log under this prefix.']
])

export class Session {
  readonly #parts: SessionParts
  #redis: Promise<Redis> | null = null
  /** Asks without changing anything, also a log of a Redis that was restarted. */
  #atRest = false
  #known = NOTHING
  #beginning: Promise<void> | null = null
  /** Why there was no answer; null once there is one again. */
  trouble: SyncError | null = null
  /** Why Redis takes no writes; null once it has taken one again. */
  writeTrouble: SyncError | null = null

  constructor (parts: SessionParts) {
    this.#parts = parts
  }

  redis (): Promise<Redis> {
    if (this.#redis === null) {
      const connecting = this.#parts.connect()
      this.#redis = connecting
      connecting.catch(() => { this.#redis = null })
    }
    return this.#redis
  }

  keys (names: readonly KeyName[]): string[] {
    return names.map(name => this.#parts.keys[name])
  }

  /** Creates the log where there is none, and begins an epoch. */
  async open (): Promise<void> {
    await this.#begin(true)
  }

  /** Whether it only asks, and changes nothing. */
  rest (atRest: boolean): void {
    this.#atRest = atRest
  }

  /** @throws SyncError storage_unavailable; a script that writes may then have been run or not */
  async ask (script: Script, args: readonly RedisArgument[] = []): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      const known = this.#known
      const [status, state, ...values] = await this.run(script, [...told(known), this.#atRest ? '0' : '1', ...args])
      const word = String(status)
      if (word === 'ok') return { state: this.#stateOf(state, known), values }
      if ((word !== 'none' && word !== 'restarted') || this.#atRest || attempt === ATTEMPTS) throw refused(word, state)
      // All that waits for the same epoch waits once.
      this.#beginning ??= this.#begin(false).finally(() => { this.#beginning = null })
      await this.#beginning
    }
  }

  /** One script, without regard to the state. */
  async run (script: Script, args: readonly RedisArgument[]): Promise<any[]> {
    try {
      const redis = await this.redis()
      const answer = await redis.run(script, { keys: this.keys(script.keys), args, binary: true }) as any[]
      this.trouble = null
      if (script.writes) this.writeTrouble = null
      return answer
    } catch (error) {
      if (error instanceof TypeError || error instanceof RangeError) throw error
      const trouble = failure(error)
      if (script.writes && concernsWriting(error)) this.writeTrouble = trouble
      else this.trouble = trouble
      throw trouble
    }
  }

  /** @param own whether the connection is this log's alone */
  async close (own: boolean): Promise<void> {
    const redis = this.#redis
    this.#redis = Promise.reject(closedFailure())
    this.#redis.catch(() => {})
    if (own) await redis?.then(open => open.close(), () => {})
  }

  async #begin (always: boolean): Promise<void> {
    const { now } = this.#parts
    const args = [always ? '1' : '0', newEpochId(), now(), randomBytes(32), newEpochId()]
    const [status, detail] = await this.run(OPEN, [...told(this.#known), ...args])
    if (String(status) !== 'ok') throw refused(String(status), detail)
    this.#known = NOTHING
  }

  #stateOf ([log, head, horizon, historyHorizon, identitiesBefore, filing, filedBy, mark, fresh]: any[], asked: Known): LogState {
    const epochs = fresh.length > 0 ? Object.freeze<Epoch[]>(fresh.map(epochOf)) : asked.epochs
    this.#learn({ log: String(log), epochs, head: Number(head), mark }, asked)
    return {
      head: Number(head),
      horizon: Number(horizon),
      historyHorizon: Number(historyHorizon),
      identitiesBefore: Number(identitiesBefore),
      filing: String(filing),
      filedBy: String(filedBy),
      epochs
    }
  }

  /** Of answers that overtook each other the one that saw more counts. */
  #learn (seen: Known, asked: Known): void {
    const known = this.#known
    const same = seen.log === known.log && seen.epochs.at(-1)?.id === known.epochs.at(-1)?.id
    if (same ? seen.head > known.head : known === asked) this.#known = same ? { ...seen, epochs: known.epochs } : seen
  }
}

function epochOf (row: Buffer): Epoch {
  const [id, first, started] = row.toString().split(' ')
  return Object.freeze({ id: id!, first: Number(first), started: Number(started) })
}

export function refused (status: string, detail: unknown): SyncError {
  if (status === 'layout') return new SyncError('storage_unavailable', { detail: `This log was written by a newer version of @pocket/server (layout ${String(detail)}): start that one.` })
  return new SyncError('storage_unavailable', { detail: REFUSALS.get(status) ?? 'Redis was restarted again and again: look at its log.' })
}

export function idsBy ({ epochs }: LogState): (sequence: number) => string {
  return sequence => entryId(epochs, sequence)
}
