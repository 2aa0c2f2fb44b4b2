import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { pushOf, post } from '../support/app.ts'
import { startServer } from '../support/process.ts'
import { SECRET } from '../support/tokens.ts'
import { member, tokenOf } from '../support/tenants.ts'

const NAMES = Array.from({ length: 5 }, (_, nth) => `Team ${nth}`)

t.test('promise 1 (Durable): kill -9 under the load of several tenants loses nothing that was answered, in none of them', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'pocket-tenants-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const start = () => startServer({ db: join(folder, 'pocket.db'), args: ['--tenant-claim', 'org', '--no-rate-limit'], env: { POCKET_JWT_SECRET: SECRET } })
  const answered = new Map<string, Set<string>>(NAMES.map(name => [name, new Set()]))
  for (let kill = 0; kill < 2; kill++) {
    const server = await start()
    const killed = new AbortController()
    const writers = NAMES.map(async name => {
      const { headers } = member(server.url, tokenOf(name))
      for (let nth = 0; !killed.signal.aborted; nth++) {
        const documentId = `${kill}-${nth}`
        const answer = await post(`${server.url}/sync/push`, pushOf('todos', [{ documentId, document: { _id: documentId, team: name } }]), headers).catch(() => null)
        if (answer?.status === 200) answered.get(name)!.add(documentId)
      }
    })
    while ([...answered.values()].some(ids => ids.size < 5 * (kill + 1))) await new Promise(resolve => setTimeout(resolve, 10))
    await server.stop('SIGKILL')
    killed.abort()
    await Promise.all(writers)
  }
  const server = await start()
  t.teardown(() => server.stop())
  for (const name of NAMES) {
    const { json } = await member(server.url, tokenOf(name)).pull({ limit: 1000 })
    const documents = json.changes.todos as Array<{ documentId: string, document: { team: string }, sequence: number }>
    const ids = new Set(documents.map(({ documentId }) => documentId))
    t.strictSame([...answered.get(name)!].filter(id => !ids.has(id)), [], name)
    t.ok(documents.every(({ document }) => document.team === name))
    t.strictSame(documents.map(({ sequence }) => sequence), documents.map((_, index) => index + 1), 'a sequence of its own without gap')
  }
  t.equal(readdirSync(join(folder, 'pocket.db.tenants')).filter(name => name.endsWith('.db')).length, NAMES.length)
})
