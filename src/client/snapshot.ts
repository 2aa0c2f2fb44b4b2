/**
 * The first sync of a replica that has nothing: all documents in one answer, cheaper for both sides than pages, and
 * then pulls for what changed meanwhile. An answer that was cut is gone on with behind its last whole line.
 */
import { Deadline, fullJitter, sleep } from './backoff.ts'
import { cursorOf } from './cursor.ts'
import type { components } from './generated.ts'
import { asProblem, Credential, type Link } from './link.ts'
import { ResyncRequired, unreachable } from './problem.ts'
import type { PullAllOptions } from './pull.ts'
import type { Checkpoint, EntryChange, PullInput, PullResponse, ResyncReason, SnapshotInput } from './types.ts'

type Line = components['schemas']['SnapshotStart'] | components['schemas']['SnapshotDocument'] | components['schemas']['SnapshotEnd']

/** Where a snapshot is read from, and what its pages are shown to. */
export interface SnapshotSource {
  readonly link: Link
  readonly saw: (page: PullResponse) => Promise<void>
  readonly resync: (reason: ResyncReason) => Promise<void>
  /** What follows it. */
  readonly pulls: (input: PullInput) => AsyncGenerator<PullResponse, void, undefined>
}

/** How far one has got; the checkpoint of a first sync under way, as a pull would give it. */
interface Place {
  readonly checkpoint: Checkpoint
  readonly epoch: string
}

export async function * snapshot (source: SnapshotSource, { collections, checkpoint, epoch }: SnapshotInput, options: PullAllOptions): AsyncGenerator<PullResponse, void, undefined> {
  const begun = checkpoint?.snapshot !== undefined && epoch !== undefined ? { checkpoint, epoch } : undefined
  const reader = new SnapshotReader(source, collections, begun)
  yield * reader.pages(options)
  yield * source.pulls({ collections, ...reader.reached })
}

class SnapshotReader {
  readonly #source: SnapshotSource
  readonly #collections: readonly string[]
  readonly #credential: Credential
  /** Behind the last whole line; undefined before the first. */
  #place: Place | undefined
  #failures = 0
  #resyncs = 0

  constructor (source: SnapshotSource, collections: readonly string[], place: Place | undefined) {
    this.#source = source
    this.#collections = collections
    this.#credential = new Credential(source.link)
    this.#place = place
  }

  /** From where pulls go on. */
  get reached (): Place | undefined {
    return this.#place
  }

  /** @throws SyncProblem; ResyncRequired unless `onResync` is given */
  async * pages ({ signal, onResync }: PullAllOptions): AsyncGenerator<PullResponse, void, undefined> {
    const { link: { timing, retries } } = this.#source
    for (;;) {
      signal?.throwIfAborted()
      try {
        return yield * this.#answer(signal)
      } catch (error) {
        signal?.throwIfAborted()
        const problem = asProblem(error)
        // A server of before there were snapshots: pages do as well.
        if (problem.code === 'not_found') return
        if (problem instanceof ResyncRequired) await this.#startOver(problem, onResync)
        else if (!this.#credential.replaceable(problem)) {
          if (!problem.retryable || this.#failures >= retries) throw problem
          await sleep(Math.max(problem.retryAfterMs ?? 0, fullJitter(this.#failures++, timing.backoffMs, timing.backoffMaxMs)), signal)
        }
      }
    }
  }

  async #startOver (problem: ResyncRequired, onResync: PullAllOptions['onResync']): Promise<void> {
    await this.#source.resync(problem.reason)
    // A server that refuses its own starting point would do so for ever.
    if (onResync === undefined || this.#resyncs++ > 2) throw problem
    await onResync(problem)
    this.#place = undefined
  }

  /** One answer, a page for what of it came together. @throws SyncProblem where it ends without its last line */
  async * #answer (signal: AbortSignal | undefined): AsyncGenerator<PullResponse, void, undefined> {
    const { link, saw } = this.#source
    const deadline = new Deadline(signal)
    try {
      const token = await this.#credential.token()
      deadline.extend(link.timing.requestMs)
      const query = { ...this.#collections.length === 0 ? {} : { collections: [...this.#collections].sort().join(',') }, ...this.#place === undefined ? {} : { after: cursorOf(this.#place.checkpoint, this.#place.epoch) } }
      const reader = (await link.snapshot(query, deadline.signal, token)).getReader()
      // Node's fetch follows a signal no further than its Request lives, and that may be collected (nodejs/undici#3644).
      deadline.signal.addEventListener('abort', () => { reader.cancel().catch(() => {}) })
      const lines = new Lines()
      for (;;) {
        deadline.extend(link.timing.requestMs)
        const { value } = await reader.read()
        if (value === undefined) throw unreachable('the snapshot was cut short')
        // The consumer may take its time.
        deadline.extend()
        const { page, ended } = this.#take(lines.push(value))
        if (page !== undefined) {
          await saw(page)
          yield page
        }
        if (ended) return
      }
    } finally {
      deadline.end()
    }
  }

  /** @throws SyntaxError for a line that is no JSON */
  #take (lines: readonly string[]): { page: PullResponse | undefined, ended: boolean } {
    const changes = new Map<string, EntryChange[]>()
    let ended = false
    for (const text of lines) {
      const line = JSON.parse(text) as Line
      if (line.type === 'document') this.#add(changes, line)
      else if (line.type === 'snapshot') this.#place = { epoch: line.epoch, checkpoint: { ...line.checkpoint, global: 0, snapshot: line.checkpoint.global ?? 0 } }
      else if (line.type === 'snapshot-end') {
        this.#place = { epoch: line.epoch, checkpoint: line.checkpoint }
        ended = true
      }
    }
    if (lines.length > 0) {
      this.#failures = 0
      this.#credential.accepted()
    }
    if (changes.size === 0 || this.#place === undefined) return { page: undefined, ended }
    return { page: { type: 'pull-response', id: 'snapshot', changes: Object.fromEntries(changes), ...this.#place, hasMore: true }, ended }
  }

  #add (changes: Map<string, EntryChange[]>, { collection, documentId, document, timestamp, sequence }: components['schemas']['SnapshotDocument']): void {
    const change = { operation: 'insert' as const, documentId, document, timestamp, sequence }
    const list = changes.get(collection)
    if (list === undefined) changes.set(collection, [change])
    else list.push(change)
    if (this.#place !== undefined) this.#place = { ...this.#place, checkpoint: { ...this.#place.checkpoint, global: sequence } }
  }
}

/** Bytes in, whole lines out. */
class Lines {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true })
  #rest = ''

  /** @throws TypeError for bytes that are no UTF-8 */
  push (bytes: Uint8Array): string[] {
    const lines = this.#decoder.decode(bytes, { stream: true }).split('\n')
    lines[0] = this.#rest + lines[0]!
    this.#rest = lines.pop()!
    return lines.filter(line => line !== '')
  }
}
