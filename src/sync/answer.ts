/** The answer to a push, as JSON text: stored documents in it are passed on as they are. */
import type { EntryFacts, HeadAnswer, StoredEntry } from '../changelog/changelog.ts'
import type { Outcome } from './outcome.ts'
import { changeText, tombstoneText } from './page.ts'
import type { PushDeps, PushMessage } from './message.ts'
import type { Sight } from './sight.ts'
import { Turns } from './turns.ts'
import { epochAt } from '../changelog/entry.ts'
import type { Caller } from './caller.ts'

type Change = PushMessage['changes'][number]

export interface Answered {
  /** In message order. */
  readonly outcomes: readonly Outcome[]
  /** Sequence of the push's first entry; 0 when it has none. */
  readonly first: number
  /** Whose rights decide what of stored documents is shown, as they are now. */
  readonly caller: Caller
}

export async function answerText (deps: PushDeps, message: PushMessage, answered: Answered): Promise<string> {
  const { outcomes, first, caller } = answered
  const moved = isNext(message, first) ? await followed(deps, message, answered) : 0
  const epoch = epochAt(await deps.store.epochs(), (message.checkpoint?.global ?? 0) + moved)
  const success = outcomes.every(({ status }) => status === 'applied' || status === 'duplicate' || status === 'merged')
  const conflicts = success ? '' : await conflictsText(deps, message, { outcomes, caller })
  const merged = outcomes.some(isMerged) ? await mergedDocuments(deps, answered) : none
  return `{"type":"push-response","id":${JSON.stringify(message.id)},"success":${success}` +
    `,"checkpoint":${checkpointText(message, moved)},"epoch":"${epoch.id}"` +
    `,"results":[${outcomes.map((outcome, index) => resultText(outcome, index, { message, first, merged })).join(',')}]` +
    `${conflicts === '' ? '' : `,"conflicts":[${conflicts}]`},"timestamp":${deps.clock.now()}}`
}

/** Whether nobody wrote between the client's checkpoint and this push. Clients that keep positions per collection move them by pulling only. */
function isNext ({ checkpoint }: PushMessage, first: number): boolean {
  return checkpoint?.sequences === undefined && first === (checkpoint?.global ?? 0) + 1
}

/** @param moved by how many entries */
function checkpointText ({ checkpoint }: PushMessage, moved: number): string {
  if (checkpoint?.sequences !== undefined) return JSON.stringify(checkpoint)
  const { global = 0, snapshot, scope, head } = checkpoint ?? {}
  return `{"global":${global + moved}${memberText('snapshot', snapshot)}${memberText('scope', scope)}${memberText('head', head)}}`
}

function memberText (name: string, value: string | number | undefined): string {
  return value === undefined ? '' : `,"${name}":${JSON.stringify(value)}`
}

/**
 * The checkpoint moves forward only over entries of this push that follow the client's own one without a gap.
 * Handing out the head here would lose what others wrote in between (promise 4).
 * @returns how many they are
 */
async function followed ({ sight, clock }: PushDeps, { collection, changes }: PushMessage, { outcomes, caller }: Answered): Promise<number> {
  const exact = new Map<number, Change>()
  for (const [index, outcome] of outcomes.entries()) if (outcome.status === 'applied' && outcome.offset !== null) exact.set(outcome.offset, changes[index]!)
  const turns = new Turns(clock)
  let count = 0
  for (; exact.has(count); count++) {
    if (!sight.limited) continue
    if (!await staysInView(sight, exact.get(count)!, { collection, caller })) break
    await turns.end()
  }
  return count
}

/** What the writer may not see itself, or deletes, is left for a pull to speak of. */
async function staysInView (sight: Sight, { documentId, document }: Change, { collection, caller }: { collection: string, caller: Caller }): Promise<boolean> {
  if (typeof document !== 'object' || document === null) return false
  return await sight.sees(caller, { collection, documentId: documentId as string }, JSON.stringify(document))
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
const BATCH = 16
const none: ReadonlyMap<number, string> = new Map()

/** Something else stands than the client sent, and it is told what. */
function isMerged (outcome: Outcome): boolean {
  return outcome.status === 'merged' || ('merged' in outcome && outcome.merged === true)
}

/**
 * What came of changes, by sequence, read back from the entries: so a repeated push is told the same. One that is
 * compacted by then is left out, and the next pull brings what stands.
 */
async function mergedDocuments ({ store, limits, sight, clock }: PushDeps, { outcomes, first, caller }: Answered): Promise<Map<number, string>> {
  const sequences = [...new Set(outcomes.filter(isMerged).map(outcome => sequenceOf(outcome, first)))]
  const documents = new Map<number, string>()
  const turns = new Turns(clock)
  let length = 0
  for (let i = 0; i < sequences.length; i += BATCH) {
    for (const entry of await store.entries(sequences.slice(i, i + BATCH))) {
      await turns.end()
      if (entry === null || !await sight.seesHead(caller, entry)) continue
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
async function conflictsText (deps: PushDeps, message: PushMessage, { outcomes, caller }: Pick<Answered, 'outcomes' | 'caller'>): Promise<string> {
  const legacy = message.checkpoint?.sequences !== undefined
  const ids = lostDocuments(message, outcomes, legacy)
  let text = ''
  for (let i = 0; i < ids.length && text.length < deps.limits.conflictBytes; i += BATCH) {
    const some = ids.slice(i, i + BATCH)
    const heads = await deps.store.heads(some.map(documentId => ({ collection: message.collection, documentId })))
    for (const [at, part] of (await conflictTexts(deps, { ids: some, heads, legacy, caller })).entries()) {
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

interface Lost { ids: readonly string[], heads: readonly HeadAnswer[], legacy: boolean, caller: Caller }

async function conflictTexts ({ store, clock, sight }: PushDeps, { ids, heads, legacy, caller }: Lost): Promise<string[]> {
  const known = heads.flatMap(({ head }) => head === null ? [] : [head])
  const bodies = await store.entries(known.map(({ sequence }: EntryFacts) => sequence))
  const entries = new Map<string, StoredEntry>()
  const turns = new Turns(clock)
  for (const entry of bodies) {
    if (entry !== null && await sight.seesHead(caller, entry)) entries.set(entry.documentId, entry)
    await turns.end()
  }
  // To clients that must be told what stands instead, what they may not see is gone.
  return ids.filter(id => legacy || !sight.limited || entries.has(id)).map(documentId => {
    const entry = entries.get(documentId)
    const gone = legacy ? { documentId, rev: entry?.rev ?? null, effectiveTime: entry?.effectiveTime ?? clock.now() } : null
    const document = entry?.document ?? (gone === null ? 'null' : tombstoneText(gone))
    const change = entry === undefined ? '' : `,"serverChange":${changeText({ entry, position: entry.sequence, member: true })}`
    return `{"documentId":${JSON.stringify(documentId)},"serverDocument":${document}${change}}`
  })
}
