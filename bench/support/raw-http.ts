/** HELPER: what HTTP alone costs: `node` and `fastify` answer with the body they got, `page` with a prepared one. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { documentText, Series } from './documents.ts'

const echo: RequestListener = (request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
    const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
    response.writeHead(200, ['content-type', 'application/json', 'content-length', String(body.length)])
    response.end(body)
  })
}

/** @param documents how many the page holds */
function page (documents: number): RequestListener {
  const ids = new Series()
  const changes = Array.from({ length: documents }, (_, index) => {
    const id = ids.next()
    return `{"operation":"insert","documentId":"${id}","document":${documentText(id, 0, Date.now())},"timestamp":${Date.now()},"sequence":${index + 1}}`
  })
  const body = Buffer.from(`{"type":"pull-response","id":"page","changes":{"todos":[${changes.join(',')}]},"checkpoint":{"global":${documents}},"hasMore":true,"timestamp":${Date.now()}}`)
  return (request, response) => {
    request.resume().on('end', () => {
      response.writeHead(200, ['content-type', 'application/json', 'content-length', String(body.length)])
      response.end(body)
    })
  }
}

const [kind, documents] = process.argv.slice(2)
if (kind === 'fastify') {
  const app = Fastify()
  app.post('/', async request => request.body)
  await app.listen({ host: '127.0.0.1', port: 0 })
  process.send!({ port: (app.server.address() as AddressInfo).port })
} else {
  const server = createServer(kind === 'page' ? page(Number(documents)) : echo)
  server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as AddressInfo).port }))
}
process.on('disconnect', () => process.exit())
