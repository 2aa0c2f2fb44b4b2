/** A log in Redis as the source and the target of a move. */
import type { RedisArgument } from '../../drivers/redis.ts'
import { newEpochId } from '../entry.ts'
import type { JournalRow } from '../changelog.ts'
import type { ChannelRecord, IdentityRecord, LogFacts, MovedPart, MovedRecord, MoveSource, PushRecord } from '../moving.ts'
import { weightOf } from './commits.ts'
import { encode, identityKey, keyOf, nameOf } from './entries.ts'
import { BEGIN, END, FACTS, JOURNAL_AFTER, OWN_IDENTITIES, SCANS, TAKE } from './lua/move.ts'
import { filedOf, journalRowOf, type Reader } from './reader.ts'
import { KNOWS_NOTHING, refused, type Session } from './session.ts'

const KINDS = ['entries', 'own', 'identities', 'filed', 'pushes', 'journal'] as const
type Kind = typeof KINDS[number]

/** Where a part begins: a kind, a place in it, and the run of Redis that the place is of. */
interface Place {
  readonly kind: Kind
  readonly at: string
  readonly run: string
}

interface Step {
  readonly records: readonly MovedRecord[]
  /** null where the kind ends. */
  readonly at: string | null
}

export class Mover {
  readonly #session: Session
  readonly #reader: Reader

  constructor (session: Session, reader: Reader) {
    this.#session = session
    this.#reader = reader
  }

  async facts (): Promise<LogFacts> {
    const { state: { head, horizon, historyHorizon, epochs, filedBy, filing }, values: [secret, journalHead] } = await this.#session.ask(FACTS)
    // A mark of a filing that has not ended is none.
    return { head, horizon, historyHorizon, epochs, secret: Uint8Array.from(secret as Buffer), filedBy: filedBy.startsWith('\0') ? '' : filedBy, filing, journalHead: Number(journalHead) }
  }

  /** Of a hash Redis returns a few records more than asked for: whole rows of its table. */
  async part (from: string | null, size: number): Promise<MovedPart> {
    const { values: [, , running] } = await this.#session.ask(FACTS)
    const run = String(running)
    let place: Place | null = from === null ? { kind: 'entries', at: '0', run } : placeOf(from, run)
    while (place !== null) {
      const { records, at } = await this.#step(place, size)
      const { kind }: Place = place
      const next: Kind | undefined = KINDS[KINDS.indexOf(kind) + 1]
      place = at !== null ? { kind, at, run } : next === undefined ? null : { kind: next, at: '0', run }
      if (records.length > 0) return { records, next: JSON.stringify(place ?? { kind: 'journal', at: String(Number.MAX_SAFE_INTEGER), run }) }
    }
    return { records: [], next: null }
  }

  async begin ({ log, state }: MoveSource): Promise<{ progress: string | null }> {
    const [status, progress] = await this.#run(BEGIN, [log, state])
    if (status === 'held') throw new TypeError('there is another log under this prefix, or the target of a move of another one: name a new place, or remove its keys')
    return { progress: progress.length === 0 ? null : String(progress) }
  }

  async take (records: readonly MovedRecord[], progress: string): Promise<void> {
    await this.#run(TAKE, [progress, ...records.flatMap(argumentsOf)])
  }

  async end ({ head, horizon, historyHorizon, secret, filedBy, filing, journalHead, epochs }: LogFacts): Promise<void> {
    const rows = epochs.map(({ id, first, started }) => `${id} ${first} ${started}`)
    await this.#run(END, [newEpochId(), head, horizon, historyHorizon, secret, filedBy, filing, journalHead, ...rows])
  }

  async #run (script: typeof BEGIN, args: readonly RedisArgument[]): Promise<any[]> {
    const [status, ...rest] = await this.#session.run(script, [...KNOWS_NOTHING, ...args])
    const word = String(status)
    if (word === 'none') throw new TypeError('begin comes before take and end')
    if (word !== 'ok' && word !== 'held') throw refused(word, rest[0])
    return [word, ...rest]
  }

  async #step ({ kind, at }: Place, size: number): Promise<Step> {
    if (kind === 'entries') return await this.#entries(Number(at), size)
    if (kind === 'journal') return await this.#journal(at, size)
    if (kind === 'own') {
      const { values: [last, ...pairs] } = await this.#session.ask(OWN_IDENTITIES, [at, size])
      return { records: pairsOf(pairs).map(identityOf), at: String(last) === '0' ? null : String(last) }
    }
    const { values: [cursor, ...pairs] } = await this.#session.ask(SCANS[kind], [at, size])
    const records = pairsOf(pairs).flatMap<MovedRecord>(kind === 'identities' ? identityOf : kind === 'filed' ? channelsOf : pushOf)
    return { records, at: String(cursor) === '0' ? null : String(cursor) }
  }

  async #entries (after: number, size: number): Promise<Step> {
    const found = await this.#reader.part(after, size, size * 1024)
    const records = found.map((found): MovedRecord => ({ kind: 'entry', ...found }))
    return { records, at: found.length === 0 ? null : String(found.at(-1)!.entry.sequence) }
  }

  async #journal (after: string, size: number): Promise<Step> {
    const { values } = await this.#session.ask(JOURNAL_AFTER, [after, size, size * 1024])
    const records: MovedRecord[] = []
    let last: JournalRow | null = null
    for (let i = 0; i < values.length; i += 3) {
      last = journalRowOf(values.slice(i, i + 3))
      records.push({ kind: 'journal', row: last })
    }
    return { records, at: last === null ? null : String(last.id) }
  }
}

/** @throws TypeError when it is none of ours */
function placeOf (text: string, run: string): Place {
  let place: Partial<Place> | null = null
  try {
    place = JSON.parse(text)
  } catch {}
  const { kind, at, run: before } = place ?? {}
  if (!KINDS.includes(kind as Kind) || typeof at !== 'string') throw new TypeError(`${text} is no place in a log that moves`)
  // A place in a hash is good for one run of Redis: after another the kind comes again.
  const hashed = kind === 'identities' || kind === 'filed' || kind === 'pushes'
  return { kind: kind!, at: hashed && before !== run ? '0' : at, run }
}

function pairsOf (values: readonly Buffer[]): Array<[Buffer, Buffer]> {
  return Array.from({ length: values.length / 2 }, (_, i) => [values[2 * i]!, values[2 * i + 1]!])
}

function identityOf ([key, value]: [Buffer, Buffer]): MovedRecord {
  const end = 1 + key[0]!
  const identity: IdentityRecord = { ...keyOf(key.subarray(end)), identity: Uint8Array.from(key.subarray(1, end)), sequence: value.readDoubleLE(0), serverTimestamp: value.readDoubleLE(8) }
  return { kind: 'identity', identity }
}

function channelsOf ([name, filing]: [Buffer, Buffer]): MovedRecord[] {
  return filedOf(filing).map(row => ({ kind: 'channel', channel: { ...keyOf(name), ...row } satisfies ChannelRecord }))
}

function pushOf ([key, record]: [Buffer, Buffer]): MovedRecord {
  const end = 17 + record[16]!
  const push: PushRecord = {
    messageId: '',
    key: Uint8Array.from(key),
    fingerprint: Uint8Array.from(record.subarray(17, end)),
    first: record.readDoubleLE(0),
    outcome: record.toString('utf8', end),
    serverTimestamp: record.readDoubleLE(8)
  }
  return { kind: 'push', push }
}

const NO_IDENTITY = new Uint8Array()

function argumentsOf (record: MovedRecord): RedisArgument[] {
  if (record.kind === 'entry') {
    const { entry, givenId } = record
    const name = nameOf(entry)
    // Its identity comes as a record.
    const previous = Buffer.allocUnsafe(8)
    previous.writeDoubleLE(-entry.previous)
    return ['entry', entry.sequence, name, Buffer.concat([previous, encode(entry, { ...entry, identity: NO_IDENTITY }, { name, id: givenId })]), givenId ?? '']
  }
  if (record.kind === 'identity') {
    const { identity: { identity, sequence, serverTimestamp, ...key } } = record
    return ['identity', identityKey(nameOf(key), identity), sequence, serverTimestamp]
  }
  if (record.kind === 'channel') {
    const { channel: { channel, position, member, ...key } } = record
    return ['channel', nameOf(key), channel, position, member ? 1 : 0]
  }
  if (record.kind === 'push') {
    const { push: { key, fingerprint, first, outcome, serverTimestamp } } = record
    return ['push', key, fingerprint, first, outcome, serverTimestamp]
  }
  const { row: { id, raw, collection, documentId, status, code, messageId, serverTimestamp, userId, clientId, address } } = record
  return ['journal', id, JSON.stringify([collection, documentId, status, code, messageId, serverTimestamp, userId, clientId, address]), raw, weightOf(raw), serverTimestamp]
}
