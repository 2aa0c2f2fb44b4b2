/** A client that begins with a snapshot: it reads some lines, is cut off, goes on behind the last one, and pulls from its end. */
import type { User } from '../../src/access.ts'
import { SyncError } from '../../src/errors.ts'
import { resumptionOf, Snapshots } from '../../src/sync/snapshot.ts'
import type { Checkpoint } from '../../schema/checkpoint.ts'
import { apply, pull, type Rules } from './rules.ts'

interface Line {
  readonly type: string
  readonly epoch: string
  readonly checkpoint: Checkpoint
  readonly collection: string
  readonly documentId: string
  readonly document: object
  readonly sequence: number
}

export class Newcomer {
  readonly documents = new Map<string, string>()
  restarts = 0
  readonly #user: User | null
  #text: ReturnType<Snapshots['text']> | null = null
  #first: Line | null = null
  #last = 0
  /** null while the snapshot goes on. */
  #pulls: { checkpoint: Checkpoint, epoch: string } | null = null

  constructor (user: User | null) {
    this.#user = user
  }

  /**
   * One piece of the snapshot, or a page of a pull once it is whole.
   * @param lines of the piece that arrive before the connection is lost @returns whether it is at the end
   */
  async step (rules: Rules, lines = Infinity): Promise<boolean> {
    try {
      return this.#pulls === null ? await this.#read(rules, lines) : await this.#pull(rules)
    } catch (error) {
      if (!(error instanceof SyncError) || error.code !== 'resync_required') throw error
      this.#startOver()
      return false
    }
  }

  /** Between two pieces. */
  cut (): void {
    this.#text = null
  }

  async #read (rules: Rules, most: number): Promise<boolean> {
    this.#text ??= this.#begin(rules)
    const { value } = await this.#text.next()
    const lines = String(value).trimEnd().split('\n')
    for (const line of lines.slice(0, most)) this.#take(JSON.parse(line) as Line)
    if (most < lines.length) this.cut()
    return false
  }

  #begin ({ store, views, ready }: Rules): ReturnType<Snapshots['text']> {
    const snapshots = new Snapshots({ store, views, ready, publicViews: views, isPublic: () => false, step: { documents: 2, bytes: 1000 } })
    const first = this.#first
    const after = first === null ? null : `${this.#last}~e${first.epoch}${first.checkpoint.scope === undefined ? '' : `~c${first.checkpoint.scope}`}~s${first.checkpoint.global!}`
    return snapshots.text({ collections: ['todos'], resumption: after === null ? null : resumptionOf(after) }, this.#user)
  }

  #take (line: Line): void {
    if (line.type === 'snapshot') {
      if (this.#first !== null) throw new Error('a snapshot that goes on begins anew')
      this.#first = line
    } else if (line.type === 'document') {
      if (line.sequence <= this.#last) throw new Error('sequences do not rise')
      if (line.sequence > this.#first!.checkpoint.global!) throw new Error('a line of what came later')
      this.#last = line.sequence
      this.documents.set(`${line.collection}/${line.documentId}`, JSON.stringify(line.document))
    } else {
      if (JSON.stringify([line.checkpoint, line.epoch]) !== JSON.stringify([this.#first!.checkpoint, this.#first!.epoch])) throw new Error('it ends elsewhere than it said')
      this.#pulls = line
    }
  }

  async #pull (rules: Rules): Promise<boolean> {
    const { checkpoint, epoch } = this.#pulls!
    const page = await pull(rules, { checkpoint, epoch, limit: 2, user: this.#user })
    apply(this.documents, page.changes)
    this.#pulls = page
    return !page.hasMore
  }

  #startOver (): void {
    this.restarts++
    this.documents.clear()
    this.#text = this.#first = this.#pulls = null
    this.#last = 0
  }
}
