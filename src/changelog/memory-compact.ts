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
    state.drop(step.filter(entry => entry.serverTimestamp < before && superseded(state, entry)))
    if (step.length < STEP) return true
    position = step.at(-1)!.sequence
    if (!await pause()) return false
  }
}

/** Not a head, nor the last body of a tombstone: by that one a reader's right to learn of the deletion is judged. */
function superseded (state: MemoryState, entry: StoredEntry): boolean {
  const head = state.document(entry)!.head!
  return head !== entry && !(head.operation === 'delete' && head.previous === entry.sequence)
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
