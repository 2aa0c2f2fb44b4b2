import { chmodSync, chownSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { PostgresChangeLog } from '../../src/changelog/postgres.ts'
import { put, write } from '../../src/conformance/changelog/harness.ts'
import { openPool } from '../../src/drivers/postgres.ts'
import { requirePostgres } from '../support/programs.ts'
import { startPostgres, unprivileged } from '../support/services/postgres.ts'
import { pemPath } from '../support/tls.ts'

t.test('promise 6 (Private): over TLS a log is written where the certificate is the expected one, and nowhere else', async t => {
  if (!requirePostgres(t)) return
  const folder = mkdtempSync(join(tmpdir(), 'pocket-postgres-tls-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const { uid, gid } = unprivileged()
  for (const part of ['cert', 'key'] as const) {
    const path = join(folder, part)
    copyFileSync(pemPath('localhost', part), path)
    // It takes no key that others can read.
    chmodSync(path, 0o600)
    if (uid !== undefined) for (const own of [folder, path]) chownSync(own, uid, gid!)
  }
  const { port } = await startPostgres(t, { settings: { ssl: 'on', ssl_cert_file: join(folder, 'cert'), ssl_key_file: join(folder, 'key') } })
  const place = (host: string, root: 'localhost' | 'renewed'): string => `postgres://postgres@${host}:${port}/postgres?sslmode=verify-full&sslrootcert=${encodeURIComponent(pemPath(root, 'cert'))}`

  const log = new PostgresChangeLog(place('localhost', 'localhost'))
  t.teardown(() => log.close())
  t.strictSame(await write(log, [put('a', 1)]), [1])
  const pool = await openPool(place('localhost', 'localhost'))
  t.teardown(() => pool.end())
  t.match((await pool.query({ text: 'SELECT bool_and(ssl) AS coded FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE backend_type = \'client backend\'' })).rows, [{ coded: true }])

  const elsewhere = new PostgresChangeLog(place('localhost', 'renewed'), { connectMs: 2000 })
  t.teardown(() => elsewhere.close())
  await t.rejects(elsewhere.open(), { code: 'storage_unavailable' }, 'a certificate of somebody else')
})
