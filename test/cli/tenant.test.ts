import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { put, write } from '../../src/conformance/changelog/harness.ts'
import { runHere } from '../support/program.ts'
import { SECRET } from '../support/tokens.ts'

t.test('commands work on the log of a tenant beside the one of no tenant', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'pocket-tenant-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const db = join(folder, 'pocket.db')
  const store = new SqliteChangeLog(db)
  for (const log of [store, store.tenant('Acme'), store.tenant('acme')]) {
    await write(log, Array.from({ length: log === store ? 1 : 2 }, (_, nth) => put(`${nth}`, 1)))
    await log.close()
  }
  await store.close()
  const heads = []
  for (const tenant of [[], ['--tenant', 'Acme']]) {
    const { code, stdout, stderr } = await runHere(['stats', '--db', db, '--json', ...tenant])
    t.equal(code, 0, stderr)
    heads.push(JSON.parse(stdout).documents)
  }
  t.strictSame(heads, [1, 2])
  const missing = await runHere(['stats', '--db', db, '--tenant', 'nobody'])
  t.equal(missing.code, 74)
  for (const [name, path] of [['a\nb', db], ['', db], ['a', ':memory:']] as const) t.equal((await runHere(['stats', '--db', path, '--tenant', name])).code, 2, name)
})

t.test('promise 9 (Clear): a claim that names tenants needs tokens, and excludes reads for everybody', async t => {
  const secret = { POCKET_JWT_SECRET: SECRET }
  t.match(await runHere(['serve', '--tenant-claim', 'org']), { code: 2, stderr: /--tenant-claim needs tokens/ })
  t.match(await runHere(['serve', '--tenant-claim', 'org', '--public-collections', 'news'], { env: secret }), { code: 2, stderr: /exclude each other/ })
})
