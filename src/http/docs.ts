/** What openapi.yaml says of the routes. It describes them and checks nothing: `validate.ts` does. */
import { Type } from '@sinclair/typebox'
import type { FastifySchema } from 'fastify'
import { catalogue } from '../errors.ts'

const at = 1704067200000
const task = { _id: 'todo-1', title: 'Task' }

/** The four messages that users already know. */
const examples = {
  push: { type: 'push', id: 'msg-123', timestamp: at, collection: 'todos', changes: [{ operation: 'insert', documentId: 'todo-1', document: task, timestamp: at, sequence: 1 }], checkpoint: { global: 100 } },
  pushResponse: { type: 'push-response', id: 'msg-123', success: true, checkpoint: { global: 101 }, epoch: 'k3f9', results: [{ index: 0, documentId: 'todo-1', status: 'applied', sequence: 101 }], timestamp: at },
  pull: { type: 'pull', id: 'msg-456', timestamp: at, collections: ['todos'], checkpoint: { global: 95 }, limit: 100 },
  pullResponse: { type: 'pull-response', id: 'msg-456', changes: { todos: [{ operation: 'update', documentId: 'todo-1', document: { _id: 'todo-1', title: 'Updated' }, timestamp: at, sequence: 96 }] }, checkpoint: { global: 101 }, hasMore: false, epoch: 'k3f9' }
} as const

/** Path → example of a request: what @fastify/swagger drops beside a reference. */
export const requestExamples: Readonly<Record<string, object>> = { '/sync/push': examples.push, '/sync/pull': examples.pull }

const clientId = { 'Sync-Client-Id': Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'Which replica asks: a hint for echo and own-write decisions, never an identity. The message\'s clientId beats it.' })) }
/** As `describeApi` names them. A server without authentication asks for none. */
const user = { security: [{ bearer: [] }, {}] }
const streamUser = { security: [{ bearer: [] }, { ticket: [] }, {}] }

const protocol = { 'Sync-Protocol': Type.Optional(Type.Integer({ minimum: 1, description: 'The version of the protocol the client speaks; 426 when this server does not.' })) }

const json = (name: string, description: string, example?: unknown) =>
  ({ description, content: { 'application/json': { schema: { $ref: `${name}#` }, ...example !== undefined && { example } } } })

const problem = (description: string) =>
  ({ description, content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } } })

const codes = (from: number, to: number): string =>
  Object.entries(catalogue).filter(([, { status }]) => status >= from && status < to).map(([code, { status }]) => `${status} ${code}`).join(', ')

const unauthenticated = {
  ...problem('Who asks is not known. With a fresh token the same message may be sent again, once.'),
  headers: { 'WWW-Authenticate': { type: 'string', description: 'Bearer realm="sync", and error="invalid_token" where a token was sent.' } }
}

const problems = {
  '4XX': problem(`The request is refused. Codes: ${codes(400, 500)}.`),
  '5XX': problem(`The server could not; 503 says with Retry-After when to come again. Codes: ${codes(500, 600)}.`),
  default: problem('Any other error.')
}

/** Of routes that must know who asks. */
const userProblems = { 401: unauthenticated, ...problems }

const frames = 'Server-Sent Events. Unnamed events are pull-response messages, named ones hello, ping, resync and bye; each has an id, the cursor to go on from. Frames with other names are to be ignored.'

const lines = 'Newline-delimited JSON: a first line with the checkpoint, a line for each live document in the order of sequences, without deletions, and a last line from which pulls go on. What changed meanwhile comes with these. An answer without its last line was cut short: go on with after, or from the beginning after a 410.'

/** `METHOD path` → what it is. */
export const docs: ReadonlyMap<string, FastifySchema> = new Map<string, object>([
  ['POST /sync/push', {
    operationId: 'push',
    tags: ['sync'],
    ...user,
    summary: 'Changes in, a result for each',
    description: 'Applied in one step with one result per change; sent again under the same id it takes effect once. 200 also where a change was refused. A change that met a version it did not know is settled by the strategy of its collection: applied, conflict with what stands in conflicts, or merged with the document that came of both.',
    headers: Type.Object({ ...clientId, ...protocol }),
    body: { content: { 'application/json': { schema: { $ref: 'PushRequest#' } } } },
    response: {
      200: {
        ...json('PushResponse', 'Processed: see the results.', examples.pushResponse),
        headers: { 'Idempotency-Replayed': { type: 'string', enum: ['true'], description: 'The push was seen before; this is its first answer.' } }
      },
      ...userProblems
    }
  }],
  ['POST /sync/pull', {
    operationId: 'pull',
    tags: ['sync'],
    ...user,
    summary: 'Changes since a checkpoint',
    description: 'Ask again from the answered checkpoint while hasMore is true. With waitMs the answer waits for something new.',
    headers: Type.Object({ ...clientId, ...protocol }),
    body: { content: { 'application/json': { schema: { $ref: 'PullRequest#' } } } },
    response: { 200: json('PullResponse', 'A page.', examples.pullResponse), ...userProblems }
  }],
  ['GET /sync/changes', {
    operationId: 'changes',
    tags: ['sync'],
    ...user,
    summary: 'Changes since a cursor, cacheable',
    description: 'The page of a pull by URL, without a time and with the id "get". The next one begins at since=<checkpoint.global>~e<epoch>[~c<checkpoint.scope>][~s<checkpoint.snapshot>][~h<checkpoint.head>]. Of public collections alone, and asked without credentials, caches may share it; else it is its caller\'s. Put collections and parameters in alphabetical order, so that equal questions are one. After a 410 add a random r=.',
    headers: Type.Object({
      'If-None-Match': Type.Optional(Type.String({ description: 'Answers 304 where nothing else would come.' })),
      ...protocol
    }),
    querystring: Type.Object({
      collections: Type.Optional(Type.String({ description: 'Names, separated by commas; absent: all that you may read.' })),
      epoch: Type.Optional(Type.String({ pattern: '^[a-z0-9]{1,32}$', description: 'The epoch of since, where the cursor does not hold it.' })),
      limit: Type.Optional(Type.Integer({ minimum: 1, description: 'Entries in all; larger ones are lowered to the server\'s maximum.' })),
      since: Type.Optional(Type.String({ description: 'A cursor; absent: 0, the beginning.' })),
      wait: Type.Optional(Type.Integer({ minimum: 0, description: 'Wait this many seconds for something new; lowered to the server\'s maximum. Such an answer is not kept.' }))
    }),
    response: {
      200: {
        ...json('PullResponse', 'A page.', { ...examples.pullResponse, id: 'get' }),
        headers: { ETag: { type: 'string', description: 'Of exactly these bytes.' }, 'Cache-Control': { type: 'string', description: 'Who may keep it, and for how long.' } }
      },
      304: { description: 'What If-None-Match names is what would be answered.' },
      ...userProblems
    }
  }],
  ['GET /sync/snapshot', {
    operationId: 'snapshot',
    tags: ['sync'],
    ...user,
    summary: 'All documents, for a new client',
    description: lines,
    headers: Type.Object(protocol),
    querystring: Type.Object({
      after: Type.Optional(Type.String({ description: 'Goes on with a snapshot that was cut, behind the last line that came: <sequence>~e<epoch>[~c<checkpoint.scope>]~s<checkpoint.global>, of the first line but the sequence.' })),
      collections: Type.Optional(Type.String({ description: 'Names, separated by commas; absent: all that you may read.' }))
    }),
    response: {
      200: {
        description: lines,
        headers: { 'Cache-Control': { type: 'string', description: 'Who may keep it, and for how long.' } },
        content: { 'application/x-ndjson': { schema: { type: 'string', 'x-line-schema': { $ref: '#/components/schemas/SnapshotLine' } } } }
      },
      ...userProblems
    }
  }],
  ['GET /sync/stream', {
    operationId: 'stream',
    tags: ['sync'],
    ...streamUser,
    summary: 'Live changes',
    description: frames,
    headers: Type.Object({
      'Last-Event-ID': Type.Optional(Type.String({ description: 'Where to go on; beats since.' })),
      ...clientId,
      ...protocol
    }),
    querystring: Type.Object({
      collections: Type.Optional(Type.String({ description: 'Names, separated by commas; absent: all that you may read.' })),
      since: Type.Optional(Type.String({ description: 'A cursor, or "now" (the default).' })),
      epoch: Type.Optional(Type.String({ pattern: '^[a-z0-9]{1,32}$', description: 'The epoch of since, where the cursor does not hold it.' })),
      c: Type.Optional(Type.String({ description: 'Anything random, so that nothing between joins two streams into one.' }))
    }),
    response: {
      200: { description: frames, content: { 'text/event-stream': { schema: { type: 'string', 'x-event-schema': { $ref: '#/components/schemas/StreamFrame' } } } } },
      ...userProblems
    }
  }],
  ['POST /sync/stream/ticket', {
    operationId: 'streamTicket',
    tags: ['sync'],
    ...user,
    summary: 'A ticket for one stream',
    description: 'For a browser\'s EventSource, which cannot send headers. It opens one stream, as ?ticket=…, and is spent with that; a stream that was lost needs a new one.',
    headers: Type.Object(protocol),
    response: { 200: json('StreamTicket', 'Use it at once.'), ...userProblems }
  }],
  ['GET /sync/history/*', {
    operationId: 'history',
    tags: ['sync'],
    ...user,
    summary: 'Versions of a document',
    description: 'Newest first, for as long as superseded versions are kept, and beside them the journal: losers of conflicts and refused changes. Of a document that does not exist, or that you may not read, both are empty.',
    headers: Type.Object(protocol),
    params: Type.Object({
      collection: Type.String({ description: 'The collection\'s name.' }),
      documentId: Type.String({ description: 'The document\'s id, percent-encoded, slashes too.' })
    }),
    querystring: Type.Object({
      before: Type.Optional(Type.Integer({ minimum: 1, description: 'Only versions below this sequence: the last one of the page before.' })),
      journalBefore: Type.Optional(Type.Integer({ minimum: 1, description: 'Only journal rows below this id.' })),
      limit: Type.Optional(Type.Integer({ minimum: 1, description: 'Of each list at most; larger ones are lowered to the server\'s maximum for pulls.' }))
    }),
    response: { 200: json('History', 'A page, newest first.'), ...userProblems }
  }],
  ['GET /sync/info', {
    operationId: 'info',
    tags: ['operations'],
    summary: 'Protocol versions, features, limits',
    response: { 200: json('Info', 'What this server speaks and allows.'), ...problems }
  }],
  ['GET /health', {
    operationId: 'health',
    tags: ['operations'],
    summary: 'Whether this node can take writes',
    response: { 200: json('Health', 'It can; where it is degraded all the same, `detail` says what to mend.'), 503: json('Health', 'It cannot, or it is shutting down.'), '4XX': problems['4XX'], default: problems.default }
  }]
])
