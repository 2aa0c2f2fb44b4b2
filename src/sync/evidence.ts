/** What a document's history says about a change whose base is not the head. */
import type { ChangeStore, DocumentKey, StoredEntry } from '../changelog/changelog.ts'
import type { Caller } from './caller.ts'
import type { Evidence } from './decide.ts'
import type { Incoming } from './incoming.ts'

/** How many of a document's newest entries are looked at; a client rarely has more of its own under way. */
const DEPTH = 100
/** Characters of them, so that a long history of a large document costs a conflict neither memory nor time. */
const LENGTH = 8 * 1024 * 1024

const none: Evidence = { base: null, since: [], ownSinceBase: false }

/** @param head sequence of the version that the decision rests on: what was committed meanwhile does not count */
export async function gatherEvidence (store: ChangeStore, { key, head }: { key: DocumentKey, head: number }, change: Incoming, caller: Caller): Promise<Evidence> {
  if (change.base === undefined && change.baseRev === null) return none
  const { since, base } = await walkBack(store, { key, head }, change)
  if (base === null && !reaches(since, change.base)) return none
  const ownSinceBase = isUnbroken(since, base?.sequence ?? change.base!) && since.every(entry => isOwn(entry, change, caller))
  return { base, since: base === null ? [] : since, ownSinceBase }
}

/** The entries after the base, newest first, and the base itself where it is kept. */
async function walkBack (store: ChangeStore, { key, head }: { key: DocumentKey, head: number }, change: Incoming): Promise<{ since: StoredEntry[], base: StoredEntry | null }> {
  const since: StoredEntry[] = []
  let length = 0
  let before = head + 1
  // Mostly the base is the version before the head; then little is read.
  for (let limit = 2; since.length < DEPTH && length < LENGTH; limit *= 2) {
    const entries = await store.history(key, { before, limit })
    for (const entry of entries) {
      if (isBase(entry, change)) return { since, base: entry }
      if (change.base !== undefined && entry.sequence < change.base) return { since, base: null }
      since.push(entry)
      length += entry.document?.length ?? 0
      before = entry.sequence
    }
    if (entries.length < limit) break
  }
  return { since, base: null }
}

function isBase (entry: StoredEntry, change: Incoming): boolean {
  return change.base !== undefined ? entry.sequence === change.base : entry.rev === change.baseRev
}

/** The base itself is compacted, or the time before the document's first entry (0), but all that came after it is here. */
function reaches (since: readonly StoredEntry[], base: number | undefined): boolean {
  return base !== undefined && since.at(-1)?.previous === base
}

/** Nothing is missing between the base and the head. */
function isUnbroken (since: readonly StoredEntry[], base: number): boolean {
  const links = [...since.map(entry => entry.sequence), base]
  return since.every((entry, i) => entry.previous === links[i + 1])
}

/** A client's own earlier change, which it need not have read back. Without a client id nobody can claim it. */
function isOwn (entry: StoredEntry, change: Incoming, { user, clientId }: Caller): boolean {
  return clientId !== null && entry.clientId === clientId && entry.userId === (user?.id ?? null) &&
    entry.exact && entry.timestamp < change.timestamp
}
