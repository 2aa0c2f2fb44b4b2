/** An app as the README tells to write one: its documents, and what it does with a page and a resync. */
import type { Checkpoint, Client, PullResponse } from '../../src/client/client.ts'

const collections = ['todos']

export class Replica {
  readonly client: Client
  readonly documents = new Map<string, unknown>()
  readonly resyncs: string[] = []
  checkpoint: Checkpoint = { global: 0 }
  epoch: string | undefined
  #unseen: Set<string> | null = null

  constructor (client: Client) {
    this.client = client
  }

  async pull (): Promise<void> {
    const { checkpoint, epoch } = this
    for await (const page of this.client.pullAll({ collections, checkpoint, epoch, limit: 20 }, { onResync: ({ reason }) => this.#mark(reason) })) this.#take(page)
  }

  async follow (signal: AbortSignal): Promise<void> {
    const { checkpoint, epoch } = this
    for await (const event of this.client.stream({ collections, checkpoint, epoch, signal })) {
      if (event.type === 'resync') this.#mark(event.reason)
      if (event.type === 'pull-response') this.#take(event)
    }
  }

  #mark (reason: string): void {
    this.resyncs.push(reason)
    this.#unseen = new Set(this.documents.keys())
  }

  #take (page: PullResponse): void {
    for (const { operation, documentId, document } of page.changes['todos'] ?? []) {
      this.#unseen?.delete(documentId)
      if (operation === 'delete') this.documents.delete(documentId)
      else this.documents.set(documentId, document)
    }
    this.checkpoint = page.checkpoint
    this.epoch = page.epoch
    if (page.hasMore) return
    for (const documentId of this.#unseen ?? []) this.documents.delete(documentId)
    this.#unseen = null
  }
}

export function sorted (documents: ReadonlyMap<string, unknown>): Array<[string, unknown]> {
  return [...documents].sort(([a], [b]) => a < b ? -1 : 1)
}
