import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createClient } from '../../src/client/client.ts'
import { startApp } from '../support/app.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

t.test('a stream ends when its signal aborts, also after the collector was through', async t => {
  const { url } = await startApp(t)
  const stopped = new AbortController()
  const stream = createClient({ baseUrl: url }).stream({ collections: ['todos'], signal: stopped.signal })
  const events: string[] = []
  const ended = (async () => { for await (const { type } of stream) events.push(type) })()
  while (events.length < 2) await setImmediate()
  for (let i = 0; i < 20; i++) {
    collect()
    await setImmediate()
  }
  stopped.abort()
  // Without an end it would follow pings for ever.
  t.notOk(await Promise.race([ended, sleep(5000, 'goes on', { ref: false })]))
  t.strictSame(events, ['hello', 'pull-response'])
})
