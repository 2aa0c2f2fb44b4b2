import t from 'tap'
import { RedisChangeLog } from '../../src/changelog/redis.ts'
import { changeLogSuite, type OpenedLog } from '../../src/conformance/changelog.ts'
import { startRedis } from '../support/services/redis.ts'
import { modelProperty } from './model.ts'

const server = await startRedis(t)
let logs = 0

async function open (): Promise<OpenedLog> {
  const prefix = `log${++logs}`
  let store = new RedisChangeLog(server.url, { prefix })
  return {
    store,
    reopen: async () => {
      await store.close()
      store = new RedisChangeLog(server.url, { prefix })
      return store
    },
    destroy: () => store.close()
  }
}

await changeLogSuite({ test: (title, run) => t.test(title, run), open })
await modelProperty(t, open, 30)
