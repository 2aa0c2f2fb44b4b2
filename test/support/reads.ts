/** A server with public and private collections, and readers of its URLs. */
import type { PocketServerOptions } from '../../src/config.ts'
import { post, pushOf, request, startApp, type Answered, type ChangeLike } from './app.ts'

export interface Reads {
  readonly url: string
  readonly port: number
  /** Says nothing of who asks unless the headers do. */
  get (path: string, headers?: Record<string, string>): Promise<Answered>
  push (collection: string, changes: ChangeLike[]): Promise<Answered>
}

export const ann = { authorization: 'Bearer token-ann' }
export const bob = { authorization: 'Bearer token-bob' }

/** Posts are public; of everything else each sees what names them as its owner. */
export async function startReads (t: { teardown (action: () => unknown): void }, options: PocketServerOptions = {}): Promise<Reads> {
  const { url, port } = await startApp(t, {
    publicCollections: ['posts'],
    authenticate: token => token.startsWith('token-') ? { id: token.slice(6) } : null,
    authorize: (user, _collection, operation, document) => operation === 'write' || document['owner'] === user.id,
    ...options
  })
  return {
    url,
    port,
    get: (path, headers) => request(`${url}${path}`, headers && { headers }),
    push: (collection, changes) => post(`${url}/sync/push`, pushOf(collection, changes), ann)
  }
}

export function numbered (count: number, name: string, more: object = {}): ChangeLike[] {
  return Array.from({ length: count }, (_, i) => ({ documentId: `${name}-${i}`, document: { text: `${name} ${i}`, ...more } }))
}

/** Where the next page begins. */
export function cursorOf ({ checkpoint: { global, scope, snapshot, head }, epoch }: { checkpoint: { global: number, scope?: string, snapshot?: number, head?: string }, epoch: string }): string {
  return `${global}~e${epoch}${scope === undefined ? '' : `~c${scope}`}${snapshot === undefined ? '' : `~s${snapshot}`}${head === undefined ? '' : `~h${head}`}`
}
