/**
 * The audit chain as it is written: entries are sealed in blocks, each with the hash of the one before (DESIGN 4).
 * Nothing of it is done in a push. A sealed entry that is dropped leaves its hash in the tree of its block, in the
 * same transaction.
 */
import { randomBytes } from 'node:crypto'
import type { Seal } from '../audit.ts'
import type { Work } from './compaction.ts'
import type { Database, Statement } from './driver.ts'
import { blockHash, leafHash, whoHash } from './leaf.ts'
import { encodeTree, HASH_BYTES, leafAt, LEAVES, leavesOf, plant, rawTree, replaced, rootOf, SEED_BYTES, type Leaf, type Tree } from './merkle.ts'
import type { Names } from './names.ts'
import { decodeFacts, ENTRY, factsChecksum, type EntryRow } from './rows.ts'

/** Blocks whose trees are held before they are written: a step of a compaction meets many. */
const HELD = 32

interface Newest {
  readonly number: number
  readonly last: number
  readonly hash: Buffer
}

type BlockRow = [number: number, first: number, last: number, tree: Buffer]

interface Held {
  readonly number: number
  readonly first: number
  readonly count: number
  readonly tree: Tree
  readonly leaves: Map<number, Tree>
}

const START: Newest = { number: 0, last: 0, hash: Buffer.alloc(HASH_BYTES) }

export class Blocks {
  readonly #names: Names
  readonly #newest: Statement
  readonly #of: Statement
  readonly #insert: Statement
  readonly #setTree: Statement
  readonly #sequences: Statement
  readonly #time: Statement
  readonly #entry: Statement
  readonly #delete: Statement
  readonly #unname: Statement
  /** Changed trees, to be written before the transaction ends; by the block's number. */
  readonly #held = new Map<number, Held>()

  constructor (database: Database, names: Names) {
    this.#names = names
    this.#newest = database.prepare('SELECT number, last, hash FROM blocks ORDER BY number DESC LIMIT 1')
    this.#of = database.prepare('SELECT number, first, last, tree FROM blocks WHERE first <= ? ORDER BY first DESC LIMIT 1').raw()
    this.#insert = database.prepare('INSERT INTO blocks (number, first, last, root, previous, hash, sealed, tree) VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
    this.#setTree = database.prepare('UPDATE blocks SET tree = ? WHERE number = ?')
    this.#sequences = database.prepare('SELECT sequence FROM log WHERE sequence > ? ORDER BY sequence LIMIT 0 + ?').pluck()
    this.#time = database.prepare('SELECT server_timestamp FROM log WHERE sequence = ?').pluck()
    this.#entry = database.prepare(`SELECT ${ENTRY} FROM log l WHERE l.sequence = ?`).raw()
    this.#delete = database.prepare('DELETE FROM log WHERE sequence = ?')
    this.#unname = database.prepare('UPDATE log SET user_id = NULL, client_id = NULL, address = NULL, facts_checksum = ? WHERE sequence = ?')
  }

  /** null before the first. */
  newest (): Seal | null {
    const { number, last, hash } = this.#last()
    return number === 0 ? null : { block: number, sequence: last, hash: hash.toString('hex') }
  }

  /** Up to where entries are sealed: only they may be dropped. */
  sealed (): number {
    return this.#last().last
  }

  /** @param before entries from before this time do not wait for a block to be full @param now ms since 1970 */
  * seal (before: number, now: number): Work {
    for (let done = false; !done; yield) done = yield * this.#sealNext(before, now)
  }

  /** Says whether nothing was left that should be. */
  * #sealNext (before: number, now: number): Generator<void, boolean> {
    const newest = this.#last()
    const next = this.#sequences.all(newest.last, LEAVES) as number[]
    const first = next[0]
    if (first === undefined) return true
    const sequences = next.filter(sequence => sequence < first + LEAVES)
    const waits = next.length < LEAVES && next.length === sequences.length
    if (waits && this.#time.get(first) as number >= before) return true
    const made = yield * this.#make(sequences)
    // Whoever cleared the log meanwhile has begun anew behind it.
    if (made === null || this.#last().last !== newest.last || this.#time.get(sequences.at(-1)!) === undefined) return false
    const facts = { number: newest.number + 1, first, last: sequences.at(-1)!, root: made.root, previous: newest.hash, sealed: now }
    this.#insert.run(facts.number, first, facts.last, facts.root, facts.previous, blockHash(facts), now, encodeTree(made.tree))
    return waits
  }

  * #make (sequences: readonly number[]): Generator<void, { tree: Tree, root: Buffer } | null> {
    const first = sequences[0]!
    const count = sequences.at(-1)! - first + 1
    const there = new Set(sequences)
    const tree = plant(count, index => there.has(first + index), randomBytes(SEED_BYTES))
    yield
    const leaves = leavesOf(tree, count)
    const hashes = new Map<number, Buffer>()
    yield
    for (const sequence of sequences) {
      const row = this.#entry.get(sequence) as EntryRow | undefined
      if (row === undefined) return null
      hashes.set(sequence - first, leafHash(row, this.#names.name(row[1]), leaves[sequence - first] as Leaf))
      yield
    }
    return { tree, root: rootOf(tree, count, index => hashes.get(index)!) }
  }

  /** Drops an entry that is sealed. Only within a transaction that `settle` ends. */
  drop (sequence: number): void {
    this.#replace(sequence, (row, leaf) => ({ kind: 'gone', hash: leafHash(row, this.#names.name(row[1]), leaf) }))
    this.#delete.run(sequence)
  }

  /** Forgets who wrote an entry that is sealed. Only within a transaction that `settle` ends. */
  unname (sequence: number): void {
    const row = this.#entry.get(sequence) as EntryRow | undefined
    if (row === undefined) return
    const facts = decodeFacts(row, this.#names.name(row[1]))
    this.#replace(sequence, (row, leaf) => ({ kind: 'masked', seed: leaf.salt, who: leaf.who ?? whoHash(row, leaf.salt) }))
    this.#unname.run(factsChecksum({ ...facts, userId: null, clientId: null, address: null }), sequence)
  }

  /** Writes what has changed. */
  settle (): void {
    for (const { number, tree, count, leaves } of this.#held.values()) this.#setTree.run(encodeTree(replaced(tree, count, leaves)), number)
    this.#held.clear()
  }

  /** After a failure. */
  forget (): void {
    this.#held.clear()
  }

  #replace (sequence: number, by: (row: EntryRow, leaf: Leaf) => Tree): void {
    const held = this.#hold(sequence)
    if (held === null) return
    const { tree, count, first, leaves } = held
    const index = sequence - first
    const row = this.#entry.get(sequence) as EntryRow | undefined
    const changed = leaves.get(index)
    const leaf = changed === undefined ? leafAt(tree, count, index) : leafAt(changed, 1, 0)
    if (row !== undefined && leaf !== null) leaves.set(index, by(row, leaf))
  }

  /** null where no block has it, or one that is damaged: that stays as it is, for `audit verify` to find. */
  #hold (sequence: number): Held | null {
    const [number, first, last, bytes] = this.#of.get(sequence) as BlockRow | undefined ?? [0, 0, 0, null]
    const known = this.#held.get(number)
    if (known !== undefined) return known
    const count = last - first + 1
    const tree = bytes === null || sequence > last ? null : rawTree(bytes)
    if (tree === null) return null
    if (this.#held.size >= HELD) this.settle()
    const held = { number, first, count, tree, leaves: new Map() }
    this.#held.set(number, held)
    return held
  }

  #last (): Newest {
    return this.#newest.get() as Newest | undefined ?? START
  }
}
