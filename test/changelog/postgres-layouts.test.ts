import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { PostgresChangeLog } from '../../src/changelog/postgres.ts'
import { put, write } from '../../src/conformance/changelog/harness.ts'
import { requirePostgres } from '../support/programs.ts'
import { loadPostgres } from '../support/server-fixture.ts'
import { startPostgres } from '../support/services/postgres.ts'
import { contentsOf } from '../support/store-fixture.ts'

const fixture = (name: string): Buffer => readFileSync(new URL(`../fixtures/${name}`, import.meta.url))

for (const layout of ['postgres-v1']) {
  t.test(`promise 1 (Durable): tables of ${layout} open with this build and hold what they held`, async t => {
    if (!requirePostgres(t)) return
    const { url } = await startPostgres(t)
    loadPostgres(url, gunzipSync(fixture(`${layout}.dump.gz`)).toString())
    const log = new PostgresChangeLog(url)
    t.teardown(() => log.close())
    t.equal(await contentsOf(log), fixture(`${layout}.json`).toString())
    const head = await log.getCurrentSequence()
    t.strictSame(await write(log, [put('a', 9), put('later', 1)]), [head + 1, head + 2], 'and it goes on')
  })
}
