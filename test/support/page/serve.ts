/** The page for the browser, and the sync server behind it under one origin, as a reverse proxy would have them. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname } from 'node:path'
import { root } from '../../repo/sources.ts'

const types = new Map([['.html', 'text/html'], ['.css', 'text/css'], ['.js', 'text/javascript']])

export interface Site {
  readonly url: string
  /** Port of the sync server; may be changed while it runs. */
  target: number
  close (): Promise<void>
}

/** @param target port of the sync server on 127.0.0.1 */
export async function servePage (target: number): Promise<Site> {
  const server = createServer((request, response) => {
    if (request.url!.startsWith('/sync/')) forward(site.target, request, response)
    else sendFile(request.url!, response).catch(() => response.writeHead(404).end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const site: Site = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    target,
    async close () {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    }
  }
  return site
}

async function sendFile (path: string, response: ServerResponse): Promise<void> {
  const body = await readFile(new URL(fileOf(path), root))
  response.writeHead(200, { 'content-type': `${types.get(extname(path)) ?? 'text/html'}; charset=utf-8`, 'cache-control': 'no-store' }).end(body)
}

/** The client as it is shipped, and the one package it needs. */
function fileOf (path: string): string {
  if (path === '/modules/openapi-fetch.js') return 'node_modules/openapi-fetch/dist/index.mjs'
  const [, name] = /^\/client\/([a-z-]+\.js)$/.exec(path) ?? []
  if (name !== undefined) return `dist/src/client/${name}`
  return `test/support/page/${path === '/' ? 'index.html' : path.slice(1).replaceAll('/', '')}`
}

/** A backend that is gone ends the connection: browsers try that again, while a 502 closes an EventSource for good. */
function forward (port: number, request: IncomingMessage, response: ServerResponse): void {
  const { method, headers, url } = request
  const upstream = httpRequest({ host: '127.0.0.1', port, method, headers, path: url, agent: false }, answer => {
    answer.on('error', () => response.destroy())
    response.writeHead(answer.statusCode!, answer.headers)
    response.flushHeaders()
    answer.pipe(response)
  })
  upstream.on('error', () => response.destroy())
  response.on('close', () => upstream.destroy())
  request.pipe(upstream)
}
