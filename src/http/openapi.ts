/** The description of the API, made from the routes as they are and the schemas of the wire. */
import swagger from '@fastify/swagger'
import type { TSchema } from '@sinclair/typebox'
import Fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { Bye } from '../../schema/bye.ts'
import { Change, EntryChange } from '../../schema/change.ts'
import { Checkpoint } from '../../schema/checkpoint.ts'
import { Health } from '../../schema/health.ts'
import { Hello } from '../../schema/hello.ts'
import { History, JournalRow, Version } from '../../schema/history.ts'
import { Info } from '../../schema/info.ts'
import { Ping } from '../../schema/ping.ts'
import { Problem } from '../../schema/problem.ts'
import { PullResponse } from '../../schema/pull-response.ts'
import { PullRequest } from '../../schema/pull.ts'
import { ChangeError, Conflict, PushResponse, Result } from '../../schema/push-response.ts'
import { PushRequest } from '../../schema/push.ts'
import { Resync } from '../../schema/resync.ts'
import { SnapshotDocument, SnapshotEnd, SnapshotStart } from '../../schema/snapshot.ts'
import { StreamTicket } from '../../schema/stream-ticket.ts'
import { docs, requestExamples } from './docs.ts'

const frames = { 'pull-response': PullResponse, hello: Hello, ping: Ping, resync: Resync, bye: Bye }

/** What stands in the data of a stream's events. */
const StreamFrame = eitherOf('StreamFrame', 'The data of a stream event.', frames)

/** What stands in a line of a snapshot. */
const SnapshotLine = eitherOf('SnapshotLine', 'A line of a snapshot.', { snapshot: SnapshotStart, document: SnapshotDocument, 'snapshot-end': SnapshotEnd })

/** One of these, told apart by `type`. */
function eitherOf ($id: string, description: string, parts: Readonly<Record<string, TSchema>>): object {
  return {
    $id,
    description,
    oneOf: Object.values(parts).map(({ $id }) => ({ $ref: `${$id!}#` })),
    discriminator: { propertyName: 'type', mapping: Object.fromEntries(Object.entries(parts).map(([type, { $id }]) => [type, `#/components/schemas/${$id!}`])) }
  }
}

const schemas: readonly object[] = [
  Checkpoint, Change, EntryChange, PushRequest, ChangeError, Result, Conflict, PushResponse, PullRequest, PullResponse,
  StreamFrame, Hello, Ping, Resync, Bye, SnapshotLine, SnapshotStart, SnapshotDocument, SnapshotEnd, StreamTicket, Version, JournalRow, History, Info, Health, Problem
]

const description = `Changes go in with push, what others changed comes out with pull or, live, with the stream. One order across all
collections; a checkpoint says how far a client has read: keep it and send it back whole.

Unknown members are ignored both ways. A push is retried under the same id until it is answered. Errors are RFC 9457
problems: tell them by their media type, and decide by \`code\` and \`retryable\`.`

/** @param register adds the routes; they are never called */
export async function describeApi (version: string, register: (app: FastifyInstance) => void): Promise<object> {
  const app = Fastify({ exposeHeadRoutes: false }) as unknown as FastifyInstance
  app.setValidatorCompiler(() => () => true)
  app.setSerializerCompiler(() => () => '')
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: '@pocket/server', version, description, license: { name: 'MIT', identifier: 'MIT' } },
      servers: [{ url: '/' }],
      tags: [{ name: 'sync', description: 'Changes in and out.' }, { name: 'operations', description: 'For whoever runs the server.' }],
      security: [],
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'The token that the application, or its identity provider, has given the user.' },
          ticket: { type: 'apiKey', in: 'query', name: 'ticket', description: 'From POST /sync/stream/ticket.' }
        }
      }
    },
    transform: ({ schema, url }) => ({ schema, url: url.replace('/*', '/:collection/:documentId') }),
    refResolver: { buildLocalReference: (schema, _base, _fragment, index) => typeof schema.$id === 'string' ? schema.$id : `schema-${index}` }
  })
  app.addHook('onRoute', (route) => {
    route.schema = docs.get(`${[route.method].flat()[0]!} ${route.url}`) ?? { hide: true }
  })
  for (const schema of schemas) app.addSchema(closed(schema))
  register(app)
  await app.ready()
  const api = JSON.parse(JSON.stringify(app.swagger())) as Described
  await app.close()
  for (const [path, example] of Object.entries(requestExamples)) api.paths[path]!.post!.requestBody.content['application/json'].example = example
  return api
}

interface Described {
  readonly paths: Record<string, { readonly post?: { readonly requestBody: { readonly content: { 'application/json': { example?: object } } } } }>
}

/** References as Fastify resolves them: `Checkpoint` is spelled `Checkpoint#`. */
function closed (schema: object): object {
  return JSON.parse(JSON.stringify(schema, (key, value: unknown) => key === '$ref' && typeof value === 'string' && !value.includes('#') ? `${value}#` : value)) as object
}
