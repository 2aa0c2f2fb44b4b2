import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { assertKept, gather, load, scene } from '../support/scene.ts'

const KILLS = Number(process.env['POCKET_KILLS'] ?? 20)

t.test(`kill -9 at random, ${KILLS} times, under load`, { timeout: 240_000 }, async t => {
  const at = await scene(t)
  const crowd = gather(at.target)
  for (let i = 0; i < KILLS; i++) {
    await load(crowd, Math.random() * 40)
    await at.server.stop('SIGKILL')
    await at.start()
  }
  await load(crowd, 20)
  t.ok(crowd.followers.every(({ connections }) => connections >= KILLS / 2), 'streams were cut and resumed')
  await assertKept(t, at, crowd)
})

t.test('pauses, cut connections, halved chunks and jumping clocks under load', { timeout: 240_000 }, async t => {
  const at = await scene(t)
  const jumping = { nodeArgs: ['--import', new URL('../support/jumping-clock.js', import.meta.url).href] }
  const crowd = gather(at.target)
  for (let i = 0; i < 12; i++) {
    await load(crowd, Math.random() * 30)
    at.server.child.kill('SIGSTOP')
    await sleep(Math.random() * 400)
    at.server.child.kill('SIGCONT')
    await sleep(Math.random() * 100)
    at.proxy.cut()
    if (i % 4 === 3) {
      await at.server.stop('SIGKILL')
      await at.start(jumping)
    }
  }
  await assertKept(t, at, crowd)
})
