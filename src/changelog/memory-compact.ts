/** Compaction of the memory adapter, in steps between which commits go on. */
import type { Order } from './memory-order.ts'
import type { CompactPolicy, StoredEntry } from './changelog.ts'
import type { MemoryState } from './memory-state.ts'

/** Rows looked at in one step: about a millisecond. */
const STEP = 1000

/** @param pause lets others run; false ends the compaction */
export async function compactState (state: MemoryState, policy: CompactPolicy | undefined, pause: () => Promise<boolean>): Promise<void> {
  const { historyBefore, tombstonesBefore, pushesBefore, journalBefore } = policy ?? { historyBefore: Infinity }
  if (historyBefore !== undefined && !await dropHistory(state, historyBefore, pause)) return
  if (tombstonesBefore !== undefined && !await purge(state, tombstonesBefore, pause)) return
  if (pushesBefore !== undefined) {
    for (const [key, push] of state.pushes) if (push.serverTimestamp < pushesBefore) state.pushes.delete(key)
  }
  if (journalBefore !== undefined) {
    const old = [...state.journal.after(0)].filter(row => row.serverTimestamp < journalBefore)
    for (const { id } of old) state.journal.remove(id)
  }
}

async function dropHistory (state: MemoryState, before: number, pause: () => Promise<boolean>): Promise<boolean> {
  for (let position = 0; ;) {
    const step = take(state.log, position)
    const gone = new Set<StoredEntry>()
    for (const entry of step) if (entry.serverTimestamp < before) supersede(state, entry, gone)
    state.drop([...gone])
    if (step.length < STEP) return true
    position = step.at(-1)!.sequence
    if (!await pause()) return false
  }
}

/**
 * Adds what a version that lives has superseded: the one before it, or a deletion with what that deleted, by which a
 * reader's right to learn of it is judged. Not where an older version is kept, as after a jump of the clock.
 */
function supersede (state: MemoryState, { operation, previous, sequence }: StoredEntry, gone: Set<StoredEntry>): void {
  if (operation === 'delete') return
  const chain: StoredEntry[] = []
  for (let entry = state.log.get(previous); entry !== undefined && !gone.has(entry); entry = state.log.get(entry.previous)) {
    if (chain.length > 0 && chain.at(-1)!.operation !== 'delete') return
    chain.push(entry)
  }
  for (const entry of chain) gone.add(entry)
  if (chain.length > 0) state.historyHorizon = Math.max(state.historyHorizon, sequence)
}

/** In sequence order up to the first that is kept, so that the horizon says exactly what is gone. */
async function purge (state: MemoryState, before: number, pause: () => Promise<boolean>): Promise<boolean> {
  for (let position = 0; ;) {
    const step = take(state.heads, position)
    for (const entry of step) {
      if (entry.operation !== 'delete') continue
      if (entry.serverTimestamp >= before) return await forget(state, before, pause)
      state.purge(state.document(entry)!, entry)
    }
    if (step.length < STEP) return await forget(state, before, pause)
    position = step.at(-1)!.sequence
    if (!await pause()) return false
  }
}

async function forget (state: MemoryState, before: number, pause: () => Promise<boolean>): Promise<boolean> {
  for (;;) {
    const step = take(state.identities, 0)
    const old = step.findIndex(identity => identity.serverTimestamp >= before)
    for (const identity of old < 0 ? step : step.slice(0, old)) state.forgetIdentity(identity)
    if (old >= 0 || step.length < STEP) return true
    if (!await pause()) return false
  }
}

function take<T> (order: Order<T>, after: number): T[] {
  const step: T[] = []
  for (const value of order.after(after)) {
    step.push(value)
    if (step.length === STEP) break
  }
  return step
}
