import t from 'tap'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { changeLogSuite } from '../../src/conformance/changelog.ts'
import type { OpenedLog } from '../../src/conformance/changelog.ts'
import { modelProperty } from './model.ts'

async function open (): Promise<OpenedLog> {
  let store = new MemoryChangeLog()
  return {
    store,
    reopen: async () => {
      await store.close()
      store = new MemoryChangeLog()
      return store
    },
    destroy: () => store.close()
  }
}

await changeLogSuite({ test: (title, run) => t.test(title, run), open })
await modelProperty(t, open)
