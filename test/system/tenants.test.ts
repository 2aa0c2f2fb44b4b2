import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { PostgresChangeLog } from '../../src/changelog/postgres.ts'
import { RedisChangeLog } from '../../src/changelog/redis.ts'
import { pushOf, post, startApp } from '../support/app.ts'
import { startServer } from '../support/process.ts'
import { requirePostgres, requireRedis } from '../support/programs.ts'
import { startPostgres } from '../support/services/postgres.ts'
import { startRedis } from '../support/services/redis.ts'
import { SseClient } from '../support/sse-client.ts'
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

const SERVERS = {
  PostgreSQL: { required: requirePostgres, start: startPostgres, logOf: (url: string) => new PostgresChangeLog(url) },
  Redis: { required: requireRedis, start: startRedis, logOf: (url: string) => new RedisChangeLog(url) }
}

for (const [name, { required, start, logOf }] of Object.entries(SERVERS)) {
  t.test(`promise 2 (Ordered), promise 6 (Private): tenants of two nodes over one ${name} have sequences apart, and each stream hears of its own`, async t => {
    if (!required(t)) return
    const { url } = await start(t)
    const nodes = await Promise.all([0, 1].map(async () => {
      const changeLog = logOf(url)
      t.teardown(() => changeLog.close())
      return await startApp(t, { changeLog, jwt: { secret: SECRET }, tenant: user => user.org, rateLimit: false, limits: { tenantsOpen: 3 } })
    }))
    const streams = await Promise.all(['a', 'b'].map(org => SseClient.connect(`${nodes[1]!.url}/sync/stream?since=0`, { headers: member('', tokenOf(org)).headers })))
    t.teardown(() => { for (const stream of streams) stream.close() })
    const pushed = await Promise.all(Array.from({ length: 120 }, async (_, nth) => {
      const org = ['a', 'b', 'A'][nth % 3]!
      const answer = await member(nodes[nth % 2]!.url, tokenOf(org)).push([{ documentId: `${nth}`, document: { _id: `${nth}`, org } }])
      return { org, status: answer.status, sequence: answer.json.results[0].sequence as number }
    }))
    t.ok(pushed.every(({ status }) => status === 200))
    for (const org of ['a', 'b', 'A']) {
      const sequences = pushed.filter(one => one.org === org).map(({ sequence }) => sequence).sort((a, b) => a - b)
      t.strictSame(sequences, Array.from({ length: 40 }, (_, index) => index + 1), org)
      const { json } = await member(nodes[0]!.url, tokenOf(org)).pull({ limit: 1000 })
      t.ok(json.changes.todos.every(({ document }: { document: { org: string } }) => document.org === org))
      t.equal(json.changes.todos.length, 40)
    }
    for (const [index, stream] of streams.entries()) {
      const heard: Array<{ org: string }> = []
      while (heard.length < 40) heard.push(...(JSON.parse((await stream.next('message'))!.data).changes.todos ?? []).map(({ document }: { document: { org: string } }) => document))
      t.ok(heard.every(({ org }) => org === ['a', 'b'][index]))
    }
  })
}
