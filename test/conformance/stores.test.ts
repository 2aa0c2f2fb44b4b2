/** The suite of a server over the logs that lie on a server. */
import t from 'tap'
import { PostgresChangeLog } from '../../src/changelog/postgres.ts'
import { RedisChangeLog } from '../../src/changelog/redis.ts'
import { serverSuite } from '../../src/conformance/server.ts'
import { AS_USERS, startConforming } from '../support/conformance.ts'
import { requirePostgres, requireRedis } from '../support/programs.ts'
import { startPostgres } from '../support/services/postgres.ts'
import { startRedis } from '../support/services/redis.ts'

const STORES = [
  { name: 'PostgreSQL', installed: requirePostgres, start: startPostgres, Log: PostgresChangeLog },
  { name: 'Redis', installed: requireRedis, start: startRedis, Log: RedisChangeLog }
]

for (const { name, installed, start, Log } of STORES) {
  t.test(`the server holds what its own suite asks, over ${name}`, { timeout: 120_000 }, async t => {
    if (!installed(t)) return
    const { url: db } = await start(t)
    const changeLog = new Log(db)
    t.teardown(() => changeLog.close())
    const { url } = await startConforming(t, { changeLog })
    await serverSuite({ test: (title, run) => t.test(title, run), baseUrl: url, ...AS_USERS })
  })
}
