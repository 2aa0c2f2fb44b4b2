import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { startApp, post, pushOf, pullOf } from '../support/app.ts'
import { claims, hmacToken, SECRET } from '../support/tokens.ts'

t.test('promise 6 (Private): each tenant has documents of its own', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'tenants-'))
  const store = new SqliteChangeLog(join(folder, 'pocket.db'))
  const { url, pocket } = await startApp(t, { changeLog: store, jwt: { secret: SECRET }, tenant: user => user.org, limits: { tenantsOpen: 2 } })
  t.teardown(async () => { await pocket.close(); await store.close(); rmSync(folder, { recursive: true }) })
  const as = (org: unknown) => ({ authorization: `Bearer ${hmacToken(claims({ sub: 'ann', org }))}` })
  for (const org of ['a', 'B', 'ü', 'a', 'con']) {
    const r = await post(`${url}/sync/push`, pushOf('todos', [{ documentId: org }]), as(org))
    t.equal(r.status, 200, r.text)
    const p = await post(`${url}/sync/pull`, pullOf(), as(org))
    t.equal(p.json.changes.todos.length, 1, p.text)
  }
  t.equal((await post(`${url}/sync/pull`, pullOf(), as(undefined))).json.code, 'no_tenant')
  t.comment(readdirSync(join(folder, 'pocket.db.tenants')), existsSync(folder))
  t.comment(await pocket.history('todos', 'a', { tenant: 'a' }))
  t.comment((await (await fetch(`${url}/health`)).text()))
})
