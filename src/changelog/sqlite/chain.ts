/** Whether the audit chain proves what the log holds. Each block is looked at in a moment of its own, so others go on. */
import type { Break, Proof, Progress } from '../view.ts'
import type { Database, Statement } from './driver.ts'
import { blockHash, leafHash, type BlockFacts } from './leaf.ts'
import { decodeTree, HASH_BYTES, LEAVES, leavesOf, rootOf, type Tree } from './merkle.ts'
import { Names } from './names.ts'
import { decodeEntry, ENTRY, type EntryRow } from './rows.ts'

interface BlockRow extends BlockFacts {
  readonly hash: Buffer
  readonly tree: Buffer
}

/** Ends the look; `sequence` where one entry can be named. */
class Broken extends Error {
  readonly sequence: number | null

  constructor (problem: string, sequence: number | null = null) {
    super(problem)
    this.sequence = sequence
  }
}

const BEGINNING: Pick<BlockRow, 'number' | 'last' | 'hash'> = { number: 0, last: 0, hash: Buffer.alloc(HASH_BYTES) }

export class Chain {
  readonly #database: Database
  readonly #names: Names
  readonly #block: Statement
  readonly #count: Statement
  readonly #given: Statement
  readonly #entry: Statement
  readonly #between: Statement
  readonly #beyond: Statement
  #entries = 0
  #dropped = 0
  #unnamed = 0

  constructor (database: Database) {
    this.#database = database
    this.#names = new Names(database)
    this.#block = database.prepare('SELECT number, first, last, root, previous, hash, sealed, tree FROM blocks WHERE number > ? ORDER BY number LIMIT 1')
    this.#count = database.prepare('SELECT count(*) FROM blocks').pluck()
    this.#given = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'blocks'").pluck()
    this.#entry = database.prepare(`SELECT ${ENTRY} FROM log l WHERE l.sequence = ?`).raw()
    this.#between = database.prepare('SELECT sequence FROM log WHERE sequence > ? AND sequence < ? ORDER BY sequence LIMIT 1').pluck()
    this.#beyond = database.prepare('SELECT count(*) FROM log WHERE sequence > ?').pluck()
  }

  /** @param expected hash of a block, in hex, that somebody wrote down elsewhere */
  * verify (expected: string | null): Generator<Progress, Proof> {
    let at = BEGINNING
    let met = false
    try {
      const total = this.#count.get() as number
      for (let next: BlockRow | undefined; (next = this.#read(at)) !== undefined; at = next) {
        met ||= next.hash.toString('hex') === expected
        yield { done: at.number, total }
      }
    } catch (error) {
      if (!(error instanceof Broken)) throw error
      return this.#proof(at, { block: at.number + 1, sequence: error.sequence, problem: error.message })
    }
    if (expected === null || met) return this.#proof(at, null)
    const problem = 'the chain holds together but does not lead through the hash that was expected: the log was rewritten, or it is another log, or an older backup of it'
    return this.#proof(at, { block: null, sequence: null, problem })
  }

  /** The next block, proven; all in one snapshot. */
  #read (before: Pick<BlockRow, 'number' | 'last' | 'hash'>): BlockRow | undefined {
    this.#database.exec('BEGIN')
    try {
      const block = this.#block.get(before.number) as BlockRow | undefined
      if (block === undefined) this.#requireEnd(before.number)
      else this.#prove(block, before)
      return block
    } finally {
      this.#database.exec('COMMIT')
    }
  }

  #requireEnd (newest: number): void {
    const given = Number(this.#given.get() ?? 0)
    if (given !== newest) throw new Broken(`the newest blocks are missing: ${given} were sealed`)
  }

  #prove (block: BlockRow, before: Pick<BlockRow, 'number' | 'last' | 'hash'>): void {
    const { number, first, last, previous, hash } = block
    if (number !== before.number + 1) throw new Broken(`it is missing: the next one is ${number}`)
    if (!previous.equals(before.hash)) throw new Broken('it does not name the hash of the block before')
    if (!blockHash(block).equals(hash)) throw new Broken('its own facts do not give its hash')
    const count = last - first + 1
    if (first <= before.last || count < 1 || count > LEAVES) throw new Broken(`it says to reach from ${first} to ${last}, which no block does`)
    const stray = this.#between.get(before.last, first) as number | undefined
    if (stray !== undefined) throw new Broken(`entry ${stray} stands before it, and was not sealed`, stray)
    const tree = decodeTree(block.tree, count)
    if (tree === null) throw new Broken('what it keeps of dropped entries is no tree')
    this.#proveEntries(block, tree, count)
  }

  #proveEntries ({ first, last, root }: BlockRow, tree: Tree, count: number): void {
    const hashes = new Map<number, Buffer>()
    for (const [index, leaf] of leavesOf(tree, count).entries()) {
      const sequence = first + index
      const row = this.#entry.get(sequence) as EntryRow | undefined
      if (leaf === 'none' || leaf === 'gone') {
        if (row !== undefined) throw new Broken(`entry ${sequence} was not there when it was sealed, or was dropped since`, sequence)
        if (leaf === 'gone') this.#dropped++
        continue
      }
      if (row === undefined) throw new Broken(`entry ${sequence} is missing`, sequence)
      if (leaf.who !== null) this.#requireUnnamed(row)
      const collection = this.#names.name(row[1])
      hashes.set(index, leafHash(row, collection, leaf))
      this.#entries++
      if (!isIntact(row, collection)) throw new Broken(`entry ${sequence} is not what was written`, sequence)
    }
    if (!rootOf(tree, count, index => hashes.get(index)!).equals(root)) throw new Broken(`entries ${first} to ${last} are not those that were sealed: at least one was changed, or what is kept of a dropped one`)
  }

  /** Whoever had a name put there could have put any. */
  #requireUnnamed (row: EntryRow): void {
    if (row.slice(10, 13).some(name => name !== null)) throw new Broken(`entry ${row[0]} says who wrote it, and that was erased`, row[0])
    this.#unnamed++
  }

  #proof ({ number, last, hash }: Pick<BlockRow, 'number' | 'last' | 'hash'>, broken: Break | null): Proof {
    const newest = number === 0 ? null : { block: number, sequence: last, hash: hash.toString('hex') }
    const unsealed = broken === null ? this.#beyond.get(last) as number : 0
    return { entries: this.#entries, dropped: this.#dropped, unnamed: this.#unnamed, unsealed, newest, broken }
  }
}

/** A checksum says which entry it is, where whoever changed it did not think of that. */
function isIntact (row: EntryRow, collection: string): boolean {
  try {
    decodeEntry(row, collection, '')
    return true
  } catch {
    return false
  }
}
