import t from 'tap'
import { RedisChangeLog } from '../../src/changelog/redis.ts'
import { changeLogSuite, type OpenedLog } from '../../src/conformance/changelog.ts'
import { requireRedis } from '../support/programs.ts'
import { startRedis } from '../support/services/redis.ts'
import { modelProperty } from './model.ts'

let logs = 0

/** Opens logs under prefixes of their own. */
function on (url: string): () => Promise<OpenedLog> {
  return async () => {
    const prefix = `log${++logs}`
    let store = new RedisChangeLog(url, { prefix })
    return {
      store,
      reopen: async () => {
        await store.close()
        store = new RedisChangeLog(url, { prefix })
        return store
      },
      destroy: () => store.close()
    }
  }
}

if (requireRedis(t)) {
  // Both before the first test: tap ends when it has none left.
  const [server, quick] = await Promise.all([startRedis(t), startRedis(t, { settings: { appendonly: 'no' } })])
  await changeLogSuite({ test: (title, run) => t.test(title, run), open: on(server.url) })
  // What it does is the same without a disk to wait for.
  await modelProperty(t, on(quick.url), 30)
}
