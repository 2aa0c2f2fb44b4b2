/** Four real nodes over one Redis, behind nginx that deals requests out in turn. */
import t from 'tap'
import { tryNodes } from '../support/nodes-trials.ts'
import { requireProgram, requireRedis } from '../support/programs.ts'
import { startRedis } from '../support/services/redis.ts'

t.test('Redis: four nodes behind nginx', { timeout: 290_000 }, async t => {
  if (!requireRedis(t) || !requireProgram(t, 'nginx', 'apt-get install nginx')) return
  await tryNodes(t, await startRedis(t), {
    async hold (service) {
      service.pause()
      return async () => service.resume()
    }
  })
})
