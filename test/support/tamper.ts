/** What somebody who can write the file might do to it, with care or without. */
import fc from 'fast-check'
import type { EntryFacts, Operation } from '../../src/changelog/changelog.ts'
import type { Database } from '../../src/changelog/sqlite/driver.ts'
import { blockHash, leafHash } from '../../src/changelog/sqlite/leaf.ts'
import { decodeTree, leavesOf, rootOf, type Leaf } from '../../src/changelog/sqlite/merkle.ts'
import { decodeEntry, encodeEntry, ENTRY, LOG_COLUMNS, type EntryRow } from '../../src/changelog/sqlite/rows.ts'

export const FACTS = ['documentId', 'operation', 'timestamp', 'effectiveTime', 'serverTimestamp', 'userId', 'clientId', 'address', 'rev', 'hash', 'previous', 'exact', 'collection', 'id', 'document'] as const
const LOG = ['sequence', 'collection', 'document_id', 'operation', 'timestamp', 'effective_time', 'server_timestamp', 'previous', 'exact', 'hash', 'user_id', 'client_id', 'address', 'rev', 'id', 'facts_checksum', 'checksum', 'document'] as const
const BLOCKS = ['number', 'first', 'last', 'root', 'previous', 'hash', 'sealed', 'tree'] as const

export type Tampering =
  /** With the checksums made to fit. */
  | { do: 'alter', fact: typeof FACTS[number], at: number, bit: number }
  | { do: 'flip', table: 'log', column: typeof LOG[number], at: number, bit: number }
  | { do: 'flip', table: 'blocks', column: typeof BLOCKS[number], at: number, bit: number }
  | { do: 'remove', table: 'log' | 'blocks', at: number }
  | { do: 'truncate', at: number }
  | { do: 'swap', at: number, with: number }
  | { do: 'copy', at: number }

const at = fc.nat(1000)

export const tampering: fc.Arbitrary<Tampering> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('alter' as const), fact: fc.constantFrom(...FACTS), at, bit: fc.nat(2000) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('flip' as const), table: fc.constant('log' as const), column: fc.constantFrom(...LOG), at, bit: fc.nat(2000) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('flip' as const), table: fc.constant('blocks' as const), column: fc.constantFrom(...BLOCKS), at, bit: fc.nat(20_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), table: fc.constantFrom('log' as const, 'blocks' as const), at }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('truncate' as const), at }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('swap' as const), at, with: at }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('copy' as const), at }) }
)

/** @returns whether anything was changed */
export function tamper (database: Database, how: Tampering): boolean {
  const rows = database.prepare(`SELECT rowid FROM ${how.do === 'truncate' || ('table' in how && how.table === 'blocks') ? 'blocks' : 'log'} ORDER BY rowid`).pluck().all() as number[]
  const row = rows[how.at % rows.length]!
  switch (how.do) {
    case 'alter': return alter(database, { sequence: row, fact: how.fact, bit: how.bit })
    case 'flip': return flip(database, how, row)
    case 'remove': return database.prepare(`DELETE FROM ${how.table} WHERE rowid = ?`).run(row).changes === 1
    case 'truncate': return database.prepare('DELETE FROM blocks WHERE number >= ?').run(row).changes > 0
    case 'swap': return swap(database, row, rows[how.with % rows.length]!)
    case 'copy': return copy(database, row)
  }
}

function rowOf (database: Database, sequence: number): { row: EntryRow, collection: string } {
  const row = database.prepare(`SELECT ${ENTRY} FROM log l WHERE l.sequence = ?`).raw().get(sequence) as EntryRow
  return { row, collection: nameOf(database, row[1]) }
}

function nameOf (database: Database, number: number): string {
  return database.prepare('SELECT name FROM collections WHERE id = ?').pluck().get(number) as string
}

/** Writes an entry with checksums that fit. */
function store (database: Database, facts: EntryFacts, body: { id: string | null, document: string | null }): void {
  const number = database.prepare('SELECT id FROM collections WHERE name = ?').pluck().get(facts.collection) as number
  const values: unknown[] = []
  encodeEntry(values, number, facts, body)
  database.prepare(`INSERT OR REPLACE INTO log (${LOG_COLUMNS}) VALUES (${values.map(() => '?').join()})`).run(...values)
}

function alter (database: Database, { sequence, fact, bit }: { sequence: number, fact: typeof FACTS[number], bit: number }): boolean {
  const { row, collection } = rowOf(database, sequence)
  const entry = decodeEntry(row, collection, '')
  const body = { id: row[15], document: row[17] }
  if (fact === 'documentId' && entry.documentId.length * (bit % 7) === 0) return false
  if (fact === 'id' || fact === 'document') store(database, entry, { ...body, [fact]: flipped(body[fact], bit) })
  else if (fact === 'collection') store(database, { ...entry, collection: collection === 'todos' ? 'notes' : 'todos' }, body)
  else if (fact === 'operation') store(database, { ...entry, operation: (entry.operation === 'update' ? 'insert' : 'update') satisfies Operation }, body)
  else if (fact === 'exact') store(database, { ...entry, exact: !entry.exact }, body)
  else store(database, { ...entry, [fact]: flipped(entry[fact], bit) }, body)
  return true
}

function flip (database: Database, { table, column, bit }: { table: string, column: string, bit: number }, row: number): boolean {
  const value = database.prepare(`SELECT ${column} FROM ${table} WHERE rowid = ?`).pluck().get(row)
  const next = flipped(value, bit)
  try {
    database.prepare(`UPDATE ${table} SET ${column} = ? WHERE rowid = ?`).run(typeof next === 'number' ? BigInt(next) : next, row)
    return true
  } catch {
    // The place is taken.
    return false
  }
}

/** Another value of the same kind. */
function flipped (value: unknown, bit: number): unknown {
  if (typeof value === 'number') return Number(BigInt(value) ^ (1n << BigInt(bit % 50)))
  if (value === null) return 'x'
  if (typeof value === 'string') {
    if (value === '' || bit % 7 === 0) return null
    const place = bit % value.length
    return value.slice(0, place) + (value[place] === 'x' ? 'y' : 'x') + value.slice(place + 1)
  }
  const bytes = Buffer.from(value as Uint8Array)
  const place = Math.floor(bit / 8) % bytes.length
  bytes[place] = bytes[place]! ^ (1 << bit % 8)
  return bytes
}

function swap (database: Database, one: number, other: number): boolean {
  if (one === other) return false
  const [a, b] = [one, other].map(sequence => rowOf(database, sequence)) as [ReturnType<typeof rowOf>, ReturnType<typeof rowOf>]
  store(database, { ...decodeEntry(a.row, a.collection, ''), sequence: other }, { id: null, document: a.row[17] })
  store(database, { ...decodeEntry(b.row, b.collection, ''), sequence: one }, { id: null, document: b.row[17] })
  return true
}

/** Puts an entry where there is none. */
function copy (database: Database, from: number): boolean {
  const newest = database.prepare('SELECT max(last) FROM blocks').pluck().get() as number
  const taken = new Set(database.prepare('SELECT sequence FROM log').pluck().all() as number[])
  const free = Array.from({ length: newest }, (_, i) => i + 1).find(sequence => !taken.has(sequence))
  if (free === undefined) return false
  const { row, collection } = rowOf(database, from)
  store(database, { ...decodeEntry(row, collection, ''), sequence: free }, { id: null, document: row[17] })
  return true
}

/** Says that somebody else wrote an entry. */
export function rewrite (database: Database, sequence: number, userId: string): void {
  const { row, collection } = rowOf(database, sequence)
  store(database, { ...decodeEntry(row, collection, ''), userId }, { id: row[15], document: row[17] })
}

/** Makes the chain fit the entries, up to a block, as only who writes the file itself can. */
export function forge (database: Database, upTo = Infinity): void {
  let before: Buffer = Buffer.alloc(32)
  const blocks = database.prepare('SELECT number, first, last, sealed, tree FROM blocks ORDER BY number').all() as Array<{ number: number, first: number, last: number, sealed: number, tree: Buffer }>
  for (const { number, first, last, sealed, tree: bytes } of blocks) {
    if (number > upTo) return
    const count = last - first + 1
    const tree = decodeTree(bytes, count)!
    const leaves = leavesOf(tree, count)
    const root = rootOf(tree, count, index => {
      const { row, collection } = rowOf(database, first + index)
      return leafHash(row, collection, leaves[index] as Leaf)
    })
    const facts = { number, first, last, root, previous: before, sealed }
    const hash = blockHash(facts)
    database.prepare('UPDATE blocks SET root = ?, previous = ?, hash = ? WHERE number = ?').run(root, before, hash, number)
    before = hash
  }
}
