/** GET /openapi.json, /openapi.yaml and /docs: the API described, for programs and for people. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { serve } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { SAFE } from './head.ts'
import type { NodeServices } from './services.ts'

/** The page loads nothing from elsewhere; its script writes styles into it. */
const POLICY = "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"

const configuration = JSON.stringify({
  url: 'openapi.json', telemetry: false, withDefaultFonts: false, hideClientButton: true, showDeveloperTools: 'never', agent: { disabled: true }, mcp: { disabled: true }
})

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>@pocket/server</title>
<link rel="icon" href="data:,">
</head>
<body>
<div id="app"></div>
<script src="docs/reference.js"></script>
<script>Scalar.createApiReference('#app', ${configuration})</script>
</body>
</html>
`

/** @param describe makes the description; asked for once, by the first reader */
export function referenceRoutes (app: FastifyInstance, services: NodeServices, describe: () => Promise<object>): void {
  const described = once(describe)
  const json = once(async () => JSON.stringify(await described()))
  const yaml = once(async () => await toYaml(await described()))
  const script = once(readScript)
  app.get('/openapi.json', serve(services, async (exchange) => send(exchange, 'application/json', await json())))
  app.get('/openapi.yaml', serve(services, async (exchange) => send(exchange, 'application/yaml', await yaml())))
  app.get('/docs', serve(services, (exchange) => send(exchange, 'text/html; charset=utf-8', PAGE)))
  app.get('/docs/reference.js', serve(services, async (exchange) => send(exchange, 'text/javascript; charset=utf-8', await script())))
}

export async function toYaml (api: object): Promise<string> {
  const { stringify } = await import('yaml')
  return stringify(api, { aliasDuplicateObjects: false, lineWidth: 120 })
}

function send ({ response }: Exchange, type: string, body: string | Buffer): void {
  response.writeHead(200, [
    'content-type', type,
    'cache-control', 'no-cache',
    ...SAFE,
    'content-security-policy', POLICY,
    'content-length', String(Buffer.byteLength(body))
  ])
  response.end(body)
}

async function readScript (): Promise<Buffer> {
  const entry = createRequire(import.meta.url).resolve('@scalar/fastify-api-reference')
  return await readFile(join(entry, '..', 'js', 'standalone.js'))
}

function once<T> (make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}
