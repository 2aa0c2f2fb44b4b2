import t from 'tap'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parse } from 'yaml'
import { renderOpenapi } from '../../scripts/openapi.ts'
import { catalogue } from '../../src/errors.ts'
import { request, startApp } from '../support/app.ts'

const root = new URL('../../', import.meta.url)

t.test('openapi.yaml is what the routes and schemas make of it, and what the server serves', async (t) => {
  const committed = await readFile(new URL('openapi.yaml', root), 'utf8')
  t.equal(committed, await renderOpenapi(), 'npx tsx scripts/openapi.ts writes it anew')
  const { url } = await startApp(t)
  const yaml = await request(`${url}/openapi.yaml`)
  t.equal(yaml.headers.get('content-type'), 'application/yaml')
  t.equal(yaml.text, committed)
  t.strictSame((await request(`${url}/openapi.json`)).json, parse(committed))
})

t.test('openapi.yaml names every operation, frame and problem', async (t) => {
  const api = parse(await renderOpenapi())
  const operations = Object.values<any>(api.paths).flatMap(path => Object.values<any>(path))
  t.strictSame(operations.map(({ operationId }) => operationId).sort(), ['changes', 'health', 'history', 'info', 'pull', 'push', 'snapshot', 'stream', 'streamTicket'])
  for (const { operationId, responses } of operations) {
    for (const status of ['4XX', 'default']) t.strictSame(responses[status].content, { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } }, `${operationId} ${status}`)
    if (operationId !== 'health') t.ok(responses['5XX'], operationId)
  }
  t.strictSame(api.paths['/sync/stream'].get.responses['200'].content, { 'text/event-stream': { schema: { type: 'string', 'x-event-schema': { $ref: '#/components/schemas/StreamFrame' } } } })
  t.strictSame(Object.keys(api.components.schemas.StreamFrame.discriminator.mapping), ['pull-response', 'hello', 'ping', 'resync', 'bye'])
  const described = JSON.stringify(api.paths)
  for (const [code, { status }] of Object.entries(catalogue)) if (status !== 0) t.ok(described.includes(`${status} ${code}`), code)
  for (const [path, type] of [['/sync/push', 'push'], ['/sync/pull', 'pull']] as const) {
    t.equal(api.paths[path].post.requestBody.content['application/json'].example.type, type)
    t.equal(api.paths[path].post.responses['200'].content['application/json'].example.type, `${type}-response`)
  }
})

t.test('openapi.yaml passes a strict linter', async (t) => {
  const cli = fileURLToPath(new URL('node_modules/@redocly/cli/bin/cli.js', root))
  const { stderr } = await promisify(execFile)(process.execPath, [cli, 'lint', 'openapi.yaml', '--config', 'scripts/redocly.yaml'], { cwd: root, env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' } })
  t.match(stderr, /valid/)
})
