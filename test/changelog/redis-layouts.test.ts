import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { RedisChangeLog } from '../../src/changelog/redis.ts'
import { put, write } from '../../src/conformance/changelog/harness.ts'
import { requireRedis } from '../support/programs.ts'
import { loadRedis } from '../support/server-fixture.ts'
import { startRedis } from '../support/services/redis.ts'
import { contentsOf } from '../support/store-fixture.ts'

const fixture = (name: string): Buffer => readFileSync(new URL(`../fixtures/${name}`, import.meta.url))

for (const layout of ['redis-v1']) {
  t.test(`promise 1 (Durable): keys of ${layout} open with this build and hold what they held`, async t => {
    if (!requireRedis(t)) return
    const { url } = await startRedis(t)
    await loadRedis(url, gunzipSync(fixture(`${layout}.dump.gz`)).toString())
    const log = new RedisChangeLog(url)
    t.teardown(() => log.close())
    t.equal(await contentsOf(log), fixture(`${layout}.json`).toString())
    const head = await log.getCurrentSequence()
    t.strictSame(await write(log, [put('a', 9), put('later', 1)]), [head + 1, head + 2], 'and it goes on')
  })
}
