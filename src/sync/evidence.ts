/** What a document's history says about a change whose base is not the head. */
import type { ChangeStore, DocumentKey, StoredEntry } from '../changelog/changelog.ts'
import type { Caller } from './caller.ts'
import type { Evidence } from './decide.ts'
import type { Incoming } from './incoming.ts'

/** How many of a document's newest entries are looked at; a client rarely has more of its own under way. */
const DEPTH = 100

export async function gatherEvidence (store: ChangeStore, key: DocumentKey, change: Incoming, caller: Caller): Promise<Evidence> {
  if (change.base === undefined && change.baseRev === null) return { base: null, ownSinceBase: false }
  const newestFirst = await store.history(key, { limit: DEPTH })
  const at = newestFirst.findIndex(entry => isBase(entry, change))
  const since = at === -1 ? newestFirst : newestFirst.slice(0, at)
  const base = newestFirst[at] ?? null
  return { base, ownSinceBase: reachesBase(since, base, change) && since.every(entry => isOwn(entry, change, caller)) }
}

function isBase (entry: StoredEntry, change: Incoming): boolean {
  return change.base !== undefined ? entry.sequence === change.base : entry.rev === change.baseRev
}

/** Nothing is missing between the base and the head; a base of 0 is the time before the document's first entry. */
function reachesBase (since: readonly StoredEntry[], base: StoredEntry | null, change: Incoming): boolean {
  if (base === null && change.base !== 0) return false
  const links = [...since.map(entry => entry.sequence), base?.sequence ?? 0]
  return since.every((entry, i) => entry.previous === links[i + 1])
}

/** A client's own earlier change, which it need not have read back. Without a client id nobody can claim it. */
function isOwn (entry: StoredEntry, change: Incoming, { user, clientId }: Caller): boolean {
  return clientId !== null && entry.clientId === clientId && entry.userId === (user?.id ?? null) &&
    entry.exact && entry.timestamp < change.timestamp
}
