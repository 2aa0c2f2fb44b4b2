import t from 'tap'
import { PostgresChangeLog } from '../../src/changelog/postgres.ts'
import { changeLogSuite, type OpenedLog } from '../../src/conformance/changelog.ts'
import { requirePostgres } from '../support/programs.ts'
import { startPostgres } from '../support/services/postgres.ts'
import { modelProperty } from './model.ts'

if (requirePostgres(t)) await run()

async function run (): Promise<void> {
  const server = await startPostgres(t)
  const root = new PostgresChangeLog(server.url)
  t.teardown(() => root.close())
  let logs = 0

  async function open (): Promise<OpenedLog> {
    const name = `log ${++logs}`
    let store = root.tenant(name)
    return {
      store,
      reopen: async () => {
        await store.close()
        store = root.tenant(name)
        return store
      },
      destroy: () => store.close()
    }
  }

  await changeLogSuite({ test: (title, run) => t.test(title, run), open })
  await modelProperty(t, open, Number(process.env['RUNS'] ?? 10))
}
