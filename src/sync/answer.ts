/** The answer to a push, as JSON text: stored documents in it are passed on as they are. */
import type { EntryFacts, HeadAnswer } from '../changelog/changelog.ts'
import type { Outcome } from './outcome.ts'
import { changeText, tombstoneText } from './page.ts'
import type { PushDeps, PushMessage } from './message.ts'
import { epochAt } from '../changelog/entry.ts'

export interface Answered {
  /** In message order. */
  readonly outcomes: readonly Outcome[]
  /** Sequence of the push's first entry; 0 when it has none. */
  readonly first: number
}

export async function answerText (deps: PushDeps, message: PushMessage, answered: Answered): Promise<string> {
  const { outcomes, first } = answered
  const checkpoint = safeCheckpoint(message, answered)
  const epochs = await deps.store.epochs()
  const success = outcomes.every(({ status }) => status === 'applied' || status === 'duplicate' || status === 'merged')
  const conflicts = success ? '' : await conflictsText(deps, message, outcomes)
  const merged = await mergedDocuments(deps, answered)
  return `{"type":"push-response","id":${JSON.stringify(message.id)},"success":${success}` +
    `,"checkpoint":${JSON.stringify(checkpoint)},"epoch":"${epochAt(epochs, checkpoint.global ?? 0).id}"` +
    `,"results":[${outcomes.map((outcome, index) => resultText(outcome, index, { message, first, merged })).join(',')}]` +
    `${conflicts === '' ? '' : `,"conflicts":[${conflicts}]`},"timestamp":${deps.clock.now()}}`
}

/**
 * Moves forward only over entries of this push that follow the client's own checkpoint without a gap. Handing
 * out the head here would lose what others wrote in between (promise 4).
 */
function safeCheckpoint ({ checkpoint }: PushMessage, { outcomes, first }: Answered): NonNullable<PushMessage['checkpoint']> {
  // Clients that keep positions per collection move them by pulling only.
  if (checkpoint?.sequences !== undefined) return checkpoint
  const { global: own = 0, snapshot, scope } = checkpoint ?? {}
  const marks = { ...snapshot !== undefined && { snapshot }, ...scope !== undefined && { scope } }
  if (first !== own + 1) return { global: own, ...marks }
  const exact = new Set<number>()
  for (const outcome of outcomes) if (outcome.status === 'applied' && outcome.offset !== null) exact.add(outcome.offset)
  let count = 0
  while (exact.has(count)) count++
  return { global: own + count, ...marks }
}

function resultText (outcome: Outcome, index: number, { message, first, merged }: { message: PushMessage, first: number, merged: ReadonlyMap<number, string> }): string {
  const id = message.changes[index]!['documentId']
  const sequence = sequenceOf(outcome, first)
  const document = isMerged(outcome) ? merged.get(sequence) : undefined
  return `{"index":${index}${typeof id === 'string' ? `,"documentId":${JSON.stringify(id)}` : ''},"status":"${outcome.status}"` +
    `${sequence > 0 ? `,"sequence":${sequence}` : ''}` +
    `${document === undefined ? '' : `,"document":${document}`}` +
    `${'error' in outcome && outcome.error !== undefined ? `,"error":${JSON.stringify(outcome.error)}` : ''}}`
}

function sequenceOf (outcome: Outcome, first: number): number {
  if ('offset' in outcome) return outcome.offset === null ? 0 : first + outcome.offset
  return 'sequence' in outcome ? outcome.sequence : 0
}

/** Bodies that are read from the store at once. */
const BATCH = 100

/** Something else stands than the client sent, and it is told what. */
function isMerged (outcome: Outcome): boolean {
  return outcome.status === 'merged' || ('merged' in outcome && outcome.merged === true)
}

/**
 * What came of changes, by sequence, read back from the entries: so a repeated push is told the same. One that is
 * compacted by then is left out, and the next pull brings what stands.
 */
async function mergedDocuments ({ store, limits }: PushDeps, { outcomes, first }: Answered): Promise<Map<number, string>> {
  const sequences = [...new Set(outcomes.filter(isMerged).map(outcome => sequenceOf(outcome, first)))]
  const documents = new Map<number, string>()
  let length = 0
  for (let i = 0; i < sequences.length; i += BATCH) {
    for (const entry of await store.entries(sequences.slice(i, i + BATCH))) {
      if (entry === null) continue
      const text = entry.document ?? 'null'
      length += text.length
      if (length > limits.conflictBytes && documents.size > 0) return documents
      documents.set(entry.sequence, text)
    }
  }
  return documents
}

/**
 * The versions that stand, as they are now. Clients that keep positions per collection send a change again
 * until they are told what stands instead, so they are told of refused changes too.
 */
async function conflictsText (deps: PushDeps, message: PushMessage, outcomes: readonly Outcome[]): Promise<string> {
  const legacy = message.checkpoint?.sequences !== undefined
  const ids = lostDocuments(message, outcomes, legacy)
  let text = ''
  for (let i = 0; i < ids.length && text.length < deps.limits.conflictBytes; i += BATCH) {
    const some = ids.slice(i, i + BATCH)
    const heads = await deps.store.heads(some.map(documentId => ({ collection: message.collection, documentId })))
    for (const [at, part] of (await conflictTexts(deps, { ids: some, heads, legacy })).entries()) {
      if (text.length + part.length > deps.limits.conflictBytes && (i > 0 || at > 0)) return text
      text += text === '' ? part : `,${part}`
    }
  }
  return text
}

function lostDocuments (message: PushMessage, outcomes: readonly Outcome[], legacy: boolean): string[] {
  const ids = new Set<string>()
  for (const [index, { status }] of outcomes.entries()) {
    const id = message.changes[index]!['documentId']
    if (typeof id === 'string' && (status === 'conflict' || (legacy && status === 'rejected'))) ids.add(id)
  }
  return [...ids]
}

interface Lost { ids: readonly string[], heads: readonly HeadAnswer[], legacy: boolean }

async function conflictTexts ({ store, clock }: PushDeps, { ids, heads, legacy }: Lost): Promise<string[]> {
  const known = heads.flatMap(({ head }) => head === null ? [] : [head])
  const bodies = await store.entries(known.map(({ sequence }: EntryFacts) => sequence))
  const entries = new Map(bodies.flatMap(entry => entry === null ? [] : [[entry.documentId, entry]]))
  return ids.map(documentId => {
    const entry = entries.get(documentId)
    const gone = legacy ? { documentId, rev: entry?.rev ?? null, effectiveTime: entry?.effectiveTime ?? clock.now() } : null
    const document = entry?.document ?? (gone === null ? 'null' : tombstoneText(gone))
    const change = entry === undefined ? '' : `,"serverChange":${changeText({ entry, position: entry.sequence, member: true })}`
    return `{"documentId":${JSON.stringify(documentId)},"serverDocument":${document}${change}}`
  })
}
