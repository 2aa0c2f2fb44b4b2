/**
 * The Merkle tree of one sealed block, in the form in which a log can forget: leaf i stands for the i-th sequence of
 * the block. What is there is told by a seed, what is gone by the hash it had, and neighbours that are gone become
 * one hash, so the tree of a block that was never touched takes 17 bytes, and of one that is wholly gone 33.
 *
 * Each leaf is salted: a hash alone would let whoever has the file try out what an erased document said. The salts
 * come from one seed by halves (Goldreich, Goldwasser and Micali), so that the salt of a leaf that goes can go with
 * it while those of the others stay computable. A key of the log would not do: it stays.
 */
import { hash as digest } from 'node:crypto'

export type Tree =
  /** Sequences that had no entry when the block was sealed. */
  | { readonly kind: 'none' }
  /** Entries that were dropped, whatever was among them. */
  | { readonly kind: 'gone', readonly hash: Buffer }
  /** Entries all of which are there. */
  | { readonly kind: 'live', readonly seed: Buffer }
  /** One entry that is there but for who wrote it: of that the digest. */
  | { readonly kind: 'masked', readonly seed: Buffer, readonly who: Buffer }
  | { readonly kind: 'split', readonly left: Tree, readonly right: Tree }
  /** As it is encoded: of a large tree a compaction changes little, and the rest need not be taken apart. */
  | { readonly kind: 'raw', readonly bytes: Buffer }

/** What is to be known of an entry to compute its leaf. */
export interface Leaf {
  readonly salt: Buffer
  /** Stands in for the digest of who wrote it; null where that is still there. */
  readonly who: Buffer | null
}

export const HASH_BYTES = 32
export const SEED_BYTES = 16
/** Leaves of a block at most: the depth of the tree, and what a damaged one can make a reader do. */
export const LEAVES = 1024

/** The hash of a stretch without entries. */
const NOTHING = Buffer.alloc(HASH_BYTES)
const NONE: Tree = { kind: 'none' }
/** Never reordered: their places lie in files. */
const TAGS = ['none', 'gone', 'live', 'masked', 'split'] as const
/** Bytes of each, without what is below it. */
const SIZES = [1, 1 + HASH_BYTES, 1 + SEED_BYTES, 1 + SEED_BYTES + HASH_BYTES, 1] as const
const SPLIT = TAGS.indexOf('split')
/** In hex: followed by its root, a tree of which nothing is left. */
export const GONE = Buffer.of(TAGS.indexOf('gone')).toString('hex')

/** First byte of what is hashed: leaves are JSON and begin with a bracket. */
const NODE = Buffer.from([1])
const SEED = Buffer.from([2])

/** @param has whether there is an entry */
export function plant (count: number, has: (index: number) => boolean, seed: Buffer, from = 0): Tree {
  let entries = 0
  for (let index = from; index < from + count; index++) if (has(index)) entries++
  if (entries === 0) return NONE
  if (entries === count) return { kind: 'live', seed }
  const half = halfOf(count)
  const [left, right] = halvesOf(seed)
  return { kind: 'split', left: plant(half, has, left, from), right: plant(count - half, has, right, from + half) }
}

/** Of each leaf what is there to know. */
export function leavesOf (tree: Tree, count: number): Array<Leaf | 'none' | 'gone'> {
  const leaves: Array<Leaf | 'none' | 'gone'> = []
  const visit = (node: Tree, count: number): void => {
    if (node.kind === 'none' || node.kind === 'gone') for (let i = 0; i < count; i++) leaves.push(node.kind)
    else if (node.kind === 'masked') leaves.push({ salt: node.seed, who: node.who })
    else if (node.kind === 'live' && count === 1) leaves.push({ salt: node.seed, who: null })
    else {
      const half = halfOf(count)
      const [left, right] = childrenOf(node)
      visit(left, half)
      visit(right, count - half)
    }
  }
  visit(tree, count)
  return leaves
}

/** The salt of one leaf, null of one that is not there. */
export function leafAt (tree: Tree, count: number, index: number): Leaf | null {
  let node = opened(tree)
  for (let width = count, at = index; ;) {
    if (node.kind === 'none' || node.kind === 'gone') return null
    if (node.kind === 'masked') return { salt: node.seed, who: node.who }
    if (width === 1) return node.kind === 'live' ? { salt: node.seed, who: null } : null
    const half = halfOf(width)
    const [left, right] = childrenOf(node)
    node = opened(at < half ? left : right)
    width = at < half ? half : width - half
    if (at >= half) at -= half
  }
}

/** @param hashOf asked for each leaf that is there */
export function rootOf (tree: Tree, count: number, hashOf: (index: number) => Buffer): Buffer {
  const visit = (node: Tree, from: number, count: number): Buffer => {
    if (node.kind === 'none') return NOTHING
    if (node.kind === 'gone') return node.hash
    if (count === 1) return hashOf(from)
    const half = halfOf(count)
    const [left, right] = node.kind === 'split' ? [node.left, node.right] : [node, node]
    return join(visit(left, from, half), visit(right, from + half, count - half))
  }
  return visit(tree, 0, count)
}

/** The tree with other leaves at some places; what becomes one stretch is put together. */
export function replaced (tree: Tree, count: number, leaves: ReadonlyMap<number, Tree>): Tree {
  const visit = (node: Tree, from: number, count: number): Tree => {
    if (!within(leaves, from, count)) return node
    if (count === 1) return leaves.get(from)!
    const half = halfOf(count)
    const [left, right] = childrenOf(opened(node))
    return joined(visit(left, from, half), visit(right, from + half, count - half))
  }
  return visit(tree, 0, count)
}

export function encodeTree (tree: Tree): Buffer {
  const parts: Uint8Array[] = []
  const visit = (node: Tree): void => {
    if (node.kind === 'raw') {
      parts.push(node.bytes)
      return
    }
    parts.push(Uint8Array.of(TAGS.indexOf(node.kind)))
    if (node.kind === 'gone') parts.push(node.hash)
    if (node.kind === 'live' || node.kind === 'masked') parts.push(node.seed)
    if (node.kind === 'masked') parts.push(node.who)
    if (node.kind !== 'split') return
    visit(node.left)
    visit(node.right)
  }
  visit(tree)
  return Buffer.concat(parts)
}

/** A tree to be changed: looked at only so far that it can be. null when these bytes are none */
export function rawTree (bytes: Buffer): Tree | null {
  return endOf(bytes, 0) === bytes.length ? { kind: 'raw', bytes } : null
}

/** null when these bytes are no tree of so many leaves */
export function decodeTree (bytes: Buffer, count: number): Tree | null {
  let at = 0
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new RangeError()
    at += length
    return bytes.subarray(at - length, at)
  }
  const visit = (count: number): Tree => {
    const kind = TAGS[take(1)[0]!]
    if (kind === 'none') return NONE
    if (kind === 'gone') return { kind, hash: take(HASH_BYTES) }
    if (kind === 'live') return { kind, seed: take(SEED_BYTES) }
    if (kind === 'masked' && count === 1) return { kind, seed: take(SEED_BYTES), who: take(HASH_BYTES) }
    if (kind !== 'split' || count === 1) throw new RangeError()
    const half = halfOf(count)
    return { kind, left: visit(half), right: visit(count - half) }
  }
  try {
    const tree = count >= 1 && count <= LEAVES ? visit(count) : null
    return at === bytes.length ? tree : null
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/** Where the node ends that begins there, with all that is below it; NaN where none does. */
function endOf (bytes: Buffer, from: number): number {
  let at = from
  for (let open = 1; open > 0;) {
    const tag = bytes[at] ?? NaN
    at += SIZES[tag] ?? NaN
    if (!(at <= bytes.length)) return NaN
    open += tag === SPLIT ? 1 : -1
  }
  return at
}

/** The node itself, where it is still encoded. */
function opened (node: Tree): Tree {
  if (node.kind !== 'raw') return node
  const { bytes } = node
  const kind = TAGS[bytes[0]!]!
  if (kind === 'none') return NONE
  if (kind === 'gone') return { kind, hash: bytes.subarray(1) }
  if (kind === 'live') return { kind, seed: bytes.subarray(1) }
  if (kind === 'masked') return { kind, seed: bytes.subarray(1, 1 + SEED_BYTES), who: bytes.subarray(1 + SEED_BYTES) }
  const middle = endOf(bytes, 1)
  return { kind, left: { kind: 'raw', bytes: bytes.subarray(1, middle) }, right: { kind: 'raw', bytes: bytes.subarray(middle) } }
}

/** As in RFC 6962: the largest power of two below the count, so that no leaf need be made up. */
function halfOf (count: number): number {
  return 2 ** (31 - Math.clz32(count - 1))
}

function halvesOf (seed: Buffer): [Buffer, Buffer] {
  const both = digest('sha256', Buffer.concat([SEED, seed]), 'buffer')
  return [both.subarray(0, SEED_BYTES), both.subarray(SEED_BYTES)]
}

function childrenOf (node: Tree): [Tree, Tree] {
  if (node.kind === 'split') return [node.left, node.right]
  if (node.kind !== 'live') return [node, node]
  const [left, right] = halvesOf(node.seed)
  return [{ kind: 'live', seed: left }, { kind: 'live', seed: right }]
}

function join (left: Buffer, right: Buffer): Buffer {
  if (left.equals(NOTHING) && right.equals(NOTHING)) return NOTHING
  return digest('sha256', Buffer.concat([NODE, left, right]), 'buffer')
}

function joined (left: Tree, right: Tree): Tree {
  const ends = [left, right].map(opened).map(node => node.kind === 'gone' ? node.hash : node.kind === 'none' ? NOTHING : null)
  if (ends[0] == null || ends[1] == null) return { kind: 'split', left, right }
  return { kind: 'gone', hash: join(ends[0], ends[1]) }
}

function within (leaves: ReadonlyMap<number, Tree>, from: number, count: number): boolean {
  if (leaves.size > count) {
    for (let index = from; index < from + count; index++) if (leaves.has(index)) return true
    return false
  }
  for (const index of leaves.keys()) if (index >= from && index < from + count) return true
  return false
}
