/** HELPER: the least a stream server can do in Node: writes each POST's body as it is to everyone who listens. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const listeners = new Set<ServerResponse>()

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.write('event: hello\ndata: {}\n\n')
    listeners.add(response)
    response.on('close', () => { listeners.delete(response) })
    return
  }
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
    const frame = Buffer.concat(chunks)
    for (const listener of listeners) listener.write(frame)
    response.writeHead(200, { 'content-length': 2 })
    response.end('{}')
  })
})
server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as AddressInfo).port }))
process.on('disconnect', () => process.exit())
