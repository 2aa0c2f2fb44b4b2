/** Questions to the log. What is too much for one script is asked in several. */
import type { RedisArgument } from '../../drivers/redis.ts'
import type { ChannelRow, DocumentKey, EntryFacts, HeadAnswer, HeadKey, JournalQuery, JournalRow, Page, ReadQuery, Row, StoredEntry } from '../changelog.ts'
import { decodeEntry, decodeFacts, decodeShown, givenId, identityKey, nameOf, ownIdentity } from './entries.ts'
import { COLLECTIONS, DISCARD, ENTRIES, GIVEN, HEADS, HISTORY, JOURNAL, SECRET, SINCE, STATE } from './lua/ask.ts'
import { READ } from './lua/read.ts'
import { idsBy, type LogState, type Session } from './session.ts'

/** Of one answer, so that no script runs for long. */
const ROWS = 1000
const BYTES = 4 * 2 ** 20

export class Reader {
  readonly #session: Session
  /** Own identities of heads, with their time, as a commit that replaces them needs them. */
  readonly #own = new WeakMap<EntryFacts, Buffer>()

  constructor (session: Session) {
    this.#session = session
  }

  async state (): Promise<LogState> {
    return (await this.#session.ask(STATE)).state
  }

  async secret (): Promise<Uint8Array> {
    const { values: [secret] } = await this.#session.ask(SECRET)
    return Uint8Array.from(secret as Buffer)
  }

  replaced (head: EntryFacts): Buffer | undefined {
    return this.#own.get(head)
  }

  async heads (keys: readonly HeadKey[]): Promise<HeadAnswer[]> {
    const answers: HeadAnswer[] = []
    for (let from = 0; from < keys.length; from += ROWS) answers.push(...await this.#heads(keys.slice(from, from + ROWS)))
    return answers
  }

  async #heads (keys: readonly HeadKey[]): Promise<HeadAnswer[]> {
    const asked = keys.map(key => {
      const name = nameOf(key)
      return { name, identity: key.identity === undefined ? '' : identityKey(name, key.identity) }
    })
    const { state, values } = await this.#session.ask(HEADS, asked.flatMap(({ name, identity }) => [name, identity]))
    return keys.map(({ identity }, i) => this.#answer(identity, values.slice(3 * i, 3 * i + 3), state))
  }

  #answer (asked: Uint8Array | undefined, [position, value, known]: Buffer[], { identitiesBefore }: LogState): HeadAnswer {
    const sequence = Number(position)
    const head = sequence === 0 ? null : decodeFacts(sequence, value!)
    const own = head === null ? null : ownIdentity(value!)
    if (head !== null && own !== null) this.#own.set(head, withTime(identityKey(nameOf(head), own), head.serverTimestamp))
    if (asked === undefined) return { head, duplicateOf: 0 }
    if (known!.length > 0 && known!.readDoubleLE(8) >= identitiesBefore) return { head, duplicateOf: known!.readDoubleLE(0) }
    const repeated = own !== null && head!.serverTimestamp >= identitiesBefore && Buffer.compare(own, asked) === 0
    return { head, duplicateOf: repeated ? head!.sequence : 0 }
  }

  async page ({ after, collections, channels, filedAfter, limit, bytes }: ReadQuery): Promise<Page> {
    const starts = typeof after === 'number' ? collections && new Map(collections.map(name => [name, after])) : after
    const least = typeof after === 'number' ? after : Math.min(...after.values())
    const args: RedisArgument[] = [least === Infinity ? 'inf' : least, Math.min(limit, ROWS), Math.min(Math.max(bytes, 0), BYTES), filedAfter ?? '']
    const asked = args.concat(starts?.size ?? -1, starts === null ? [] : [...starts].flat(), channels?.length ?? -1, channels ?? [])
    const { state: { head, horizon, historyHorizon, epochs }, values: [scanned, ...found] } = await this.#session.ask(READ, asked)
    const rows: Row[] = []
    for (let i = 0; i < found.length; i += 5) rows.push(rowOf(found.slice(i, i + 5), filedAfter))
    return { rows, scanned: Number(scanned), head, horizon, historyHorizon, epochs }
  }

  async entries (sequences: readonly number[]): Promise<Array<StoredEntry | null>> {
    const found: Array<StoredEntry | null> = []
    while (found.length < sequences.length) {
      const asked = sequences.slice(found.length, found.length + ROWS)
      const { state, values } = await this.#session.ask(ENTRIES, [BYTES, ...asked])
      for (const [i, value] of (values as Buffer[]).entries()) found.push(value.length === 0 ? null : decodeEntry(asked[i]!, value, idsBy(state)))
    }
    return found
  }

  async history (key: DocumentKey, before: number, limit: number): Promise<StoredEntry[]> {
    const found: StoredEntry[] = []
    for (let from = 0; found.length < limit;) {
      const below = before === Infinity ? 'inf' : before
      const { state, values: [next, ...rows] } = await this.#session.ask(HISTORY, [nameOf(key), from, below, Math.min(limit - found.length, ROWS), BYTES])
      found.push(...entriesOf(rows, state))
      from = Number(next)
      if (from === 0) break
    }
    return found
  }

  async since (sequence: number, limit: number): Promise<StoredEntry[]> {
    const found: StoredEntry[] = []
    for (let after = sequence; found.length < limit;) {
      const asked = Math.min(limit - found.length, ROWS)
      const { state, values: [more, ...rows] } = await this.#session.ask(SINCE, [after, asked, BYTES])
      found.push(...entriesOf(rows, state))
      if (Number(more) === 0 && rows.length < 2 * asked) break
      after = found.at(-1)!.sequence
    }
    return found
  }

  /** A part of what moves. */
  async part (after: number, size: number, bytes: number): Promise<Array<{ entry: StoredEntry, givenId: string | null }>> {
    const { state, values: [, ...rows] } = await this.#session.ask(SINCE, [after, size, bytes])
    return entriesOf(rows, state).map((entry, i) => ({ entry, givenId: givenId(rows[2 * i + 1] as Buffer) }))
  }

  async sinceOf (collection: string, sequence: number): Promise<StoredEntry[]> {
    const found: StoredEntry[] = []
    for (let after = sequence; ;) {
      const entries = await this.since(after, ROWS)
      found.push(...entries.filter(entry => entry.collection === collection))
      if (entries.length < ROWS) return found
      after = entries.at(-1)!.sequence
    }
  }

  async byId (id: string): Promise<StoredEntry | null> {
    const { values: [given] } = await this.#session.ask(GIVEN, [id])
    const sequence = given.length > 0 ? Number(given) : Number(id.slice(id.lastIndexOf('-') + 1))
    if (!Number.isSafeInteger(sequence) || sequence < 1) return null
    const [entry] = await this.entries([sequence])
    return entry?.id === id ? entry : null
  }

  async collections (): Promise<string[]> {
    const found = new Set<string>()
    for (let cursor = '0'; ;) {
      const { values: [next, ...names] } = await this.#session.ask(COLLECTIONS, [cursor])
      for (const name of names) found.add(String(name))
      cursor = String(next)
      if (cursor === '0') return [...found]
    }
  }

  async discard (ids: readonly number[]): Promise<number> {
    let gone = 0
    const possible = ids.filter(id => Number.isSafeInteger(id) && id > 0)
    for (let from = 0; from < possible.length; from += ROWS) {
      const { values: [dropped] } = await this.#session.ask(DISCARD, possible.slice(from, from + ROWS))
      gone += Number(dropped)
    }
    return gone
  }

  async journal ({ before = Infinity, limit = 100, collection, documentId }: JournalQuery): Promise<JournalRow[]> {
    const found: JournalRow[] = []
    const filtered = collection !== undefined || documentId !== undefined
    for (let below = before; found.length < limit;) {
      const end = below === Infinity ? '+' : `(${Math.max(0, Math.ceil(below))}-0`
      const { values } = await this.#session.ask(JOURNAL, [end, filtered ? ROWS : Math.min(limit - found.length, ROWS), BYTES])
      if (values.length === 0) break
      for (let i = 0; i < values.length && found.length < limit; i += 3) {
        const row = journalRowOf(values.slice(i, i + 3))
        below = row.id
        if ((collection ?? row.collection) === row.collection && (documentId ?? row.documentId) === row.documentId) found.push(row)
      }
    }
    return found
  }
}

/** An identity's key behind the time of its entry, as the commit's script takes them. */
function withTime (key: Buffer, time: number): Buffer {
  const both = Buffer.allocUnsafe(8 + key.length)
  both.writeDoubleLE(time)
  both.set(key, 8)
  return both
}

function rowOf ([position, sequence, member, value, filing]: Buffer[], filedAfter: number | undefined): Row {
  const row = { position: Number(position), entry: decodeShown(Number(sequence), value!), member: String(member) === '1' }
  return filedAfter === undefined ? row : { ...row, filed: filedOf(filing!).filter(({ position }) => position > filedAfter) }
}

/** Where a document is filed: position, member, length of the channel's name and the name, for each. */
export function filedOf (filing: Buffer): ChannelRow[] {
  const rows: ChannelRow[] = []
  for (let at = 0; at < filing.length;) {
    const end = at + 13 + filing.readUInt32LE(at + 9)
    rows.push({ channel: filing.toString('utf8', at + 13, end), position: filing.readDoubleLE(at), member: filing[at + 8] === 1 })
    at = end
  }
  return rows
}

function entriesOf (rows: readonly any[], state: LogState): StoredEntry[] {
  const idOf = idsBy(state)
  const found: StoredEntry[] = []
  for (let i = 0; i < rows.length; i += 2) found.push(decodeEntry(Number(rows[i]), rows[i + 1] as Buffer, idOf))
  return found
}

export function journalRowOf ([id, facts, raw]: Buffer[]): JournalRow {
  const [collection, documentId, status, code, messageId, serverTimestamp, userId, clientId, address] = JSON.parse(facts!.toString())
  return { id: Number.parseInt(id!.toString(), 10), collection, documentId, status, code, raw: raw!.toString(), messageId, serverTimestamp, userId, clientId, address }
}
