/** GET /sync/history/{collection}/{documentId}: a document's versions, and what was not taken over of it. */
import type { FastifyInstance } from 'fastify'
import { CollectionName, DocumentId } from '../../schema/common.ts'
import type { DocumentKey } from '../changelog/changelog.ts'
import { SyncError } from '../errors.ts'
import type { HistoryQuery } from '../sync/history.ts'
import { sendJson } from './answer.ts'
import { callerOf } from './caller.ts'
import { serveUser } from './exchange.ts'
import type { NodeServices } from './services.ts'

const HISTORY = '/sync/history/'

/** All that follows the collection is the document's id: slashes too, which some proxies decode on the way. */
export const HISTORY_ROUTE = `${HISTORY}*`

const collectionName = new RegExp(CollectionName.pattern!)
const documentName = new RegExp(DocumentId.pattern!, 'u')

export function historyRoute (app: FastifyInstance, node: NodeServices): void {
  app.get(HISTORY_ROUTE, serveUser(node, async (exchange, services) => {
    const { histories, activity, draining } = services
    if (draining.aborted) throw new SyncError('draining')
    const { key, query } = parseUrl(exchange.request.url!)
    activity.begin()
    try {
      await sendJson(services, exchange, { body: await histories.text(key, query, callerOf(exchange, undefined)), cacheControl: 'no-store' })
    } finally {
      activity.end()
    }
  }))
}

/** Whether a path is one that `historyRoute` answers, whatever the method. */
export function isHistory (path: string): boolean {
  return path.startsWith(HISTORY)
}

/** @throws SyncError not_found, bad_request, invalid_message */
function parseUrl (url: string): { key: DocumentKey, query: HistoryQuery } {
  const end = url.indexOf('?')
  const path = end === -1 ? url : url.slice(0, end)
  const names = path.slice(path.indexOf(HISTORY) + HISTORY.length)
  const slash = names.indexOf('/')
  if (slash < 1 || slash === names.length - 1) throw new SyncError('not_found', { detail: `The path is ${HISTORY}{collection}/{documentId}.` })
  const query = new URLSearchParams(end === -1 ? '' : url.slice(end + 1))
  return {
    key: { collection: collectionOf(names.slice(0, slash)), documentId: documentIdOf(names.slice(slash + 1)) },
    query: { ...numberOf(query, 'before'), ...numberOf(query, 'journalBefore'), ...numberOf(query, 'limit') }
  }
}

function collectionOf (text: string): string {
  const name = decoded(text)
  if (collectionName.test(name)) return name
  throw new SyncError('invalid_message', { detail: `${JSON.stringify(name.slice(0, 130))} is no name of a collection` })
}

function documentIdOf (text: string): string {
  const id = decoded(text)
  if (documentName.test(id) && Buffer.byteLength(id) <= DocumentId.maxLength!) return id
  throw new SyncError('invalid_message', { detail: `A document's id has 1 to ${DocumentId.maxLength!} bytes of UTF-8 without control characters.` })
}

function decoded (text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw new SyncError('bad_request', { detail: 'The path is not percent-encoded UTF-8.', cause })
  }
}

function numberOf (query: URLSearchParams, name: keyof HistoryQuery): HistoryQuery {
  const text = query.get(name)
  if (text === null) return {}
  const number = /^\d{1,16}$/.test(text) ? Number(text) : NaN
  if (Number.isSafeInteger(number) && number >= 1) return { [name]: number }
  throw new SyncError('invalid_message', { detail: `${name} is a whole number from 1 on` })
}
