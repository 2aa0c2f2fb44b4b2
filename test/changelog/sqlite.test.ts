import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { changeLogSuite } from '../../src/conformance/changelog.ts'
import type { OpenedLog } from '../../src/conformance/changelog.ts'

function folder (): string {
  return mkdtempSync(join(tmpdir(), 'pocket-log-'))
}

async function open (): Promise<OpenedLog> {
  const home = folder()
  const path = join(home, 'log.db')
  let store = new SqliteChangeLog(path)
  return {
    store,
    reopen: async () => {
      await store.close()
      store = new SqliteChangeLog(path)
      return store
    },
    destroy: async () => {
      await store.close()
      rmSync(home, { recursive: true })
    }
  }
}

await changeLogSuite({ test: (title, run) => t.test(title, run), open })
