/** A typed client's stream, followed until something is seen. */
import { createClient, type Client, type ClientOptions, type StreamEvent } from '../../src/client/client.ts'

export const quick = { timing: { backoffMs: 1, backoffMaxMs: 5 } }

export function clientAt (baseUrl: string, options: Partial<ClientOptions> = {}): Client {
  return createClient({ baseUrl, ...quick, ...options })
}

export function put (client: Client, documentId: string, value: unknown = 0): Promise<unknown> {
  return client.push({ collection: 'todos', changes: [{ operation: 'update', documentId, document: { value } }] })
}

/** What a stream gave until it had what was waited for. */
export class Log {
  readonly events: StreamEvent[] = []
  readonly documents = new Map<string, unknown>()
  readonly sequences: number[] = []

  add (event: StreamEvent): this {
    this.events.push(event)
    if (event.type !== 'pull-response') return this
    for (const { operation, documentId, document, sequence } of event.changes['todos'] ?? []) {
      this.sequences.push(sequence)
      if (operation === 'delete') this.documents.delete(documentId)
      else this.documents.set(documentId, document)
    }
    return this
  }

  get types (): string[] {
    return this.events.map(({ type }) => type)
  }
}

export async function follow (client: Client, until: (log: Log) => boolean, from: { checkpoint?: { global: number }, epoch?: string } = {}): Promise<Log> {
  const log = new Log()
  for await (const event of client.stream({ collections: ['todos'], ...from })) if (until(log.add(event))) break
  return log
}
