/** A crowd that loses its streams at once; `bench/storm.ts` does the same with ten thousand. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Test } from 'tap'
import { post, pushOf } from '../support/app.ts'
import { startServer } from '../support/process.ts'
import { Returning } from '../support/returning.ts'

const CROWD = 300

async function database (t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pocket-storm-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'log.db')
}

t.test('promise 5 (Live is pull): streams that are all lost at once, cut, stopped or killed, come back once each, with everything once', async t => {
  const db = await database(t)
  let server = await startServer({ db })
  t.teardown(() => server.stop('SIGKILL'))
  const target = { port: server.port }
  const crowd = new Returning({ target, count: CROWD, mannerOf: index => index % 2 === 0 ? 'eventsource' : 'client', patience: 0.1 })
  t.teardown(() => crowd.close())
  await crowd.open()
  let head = 0
  const write = async (): Promise<void> => {
    const { json } = await post(`${server.url}/sync/push`, pushOf('todos', [{ documentId: `d${++head}`, operation: 'insert', document: { n: head } }]))
    t.equal(json.success, true)
  }
  const settled = async (): Promise<void> => {
    while (crowd.live < CROWD || crowd.reached < head) await sleep(20)
  }
  const storms = {
    cut: async () => { crowd.cut() },
    SIGTERM: async () => { t.equal((await server.stop()).code, 0, 'within the time of grace') },
    SIGKILL: async () => { await server.stop('SIGKILL') }
  }
  for (const [name, lose] of Object.entries(storms)) {
    await write()
    await settled()
    crowd.mark()
    await lose()
    while (crowd.live > 0) await sleep(5)
    if (name !== 'cut') server = await startServer({ db, port: target.port })
    for (let n = 0; n < 10; n++) await write()
    await settled()
    const { gaps, repeats, resyncs, failed, perSecond, byes } = crowd.found
    t.strictSame({ gaps, repeats, resyncs, failed }, { gaps: 0, repeats: 0, resyncs: 0, failed: [] }, name)
    t.equal(perSecond.reduce((sum, opened) => sum + opened, 0), CROWD, `${name}: no second storm`)
    t.strictSame(byes, name === 'SIGTERM' ? { shutdown: CROWD } : {}, name)
  }
})

t.test('promise 7 (Isolated): sockets never take the descriptors that the log needs, and the start says when they are few', { skip: process.platform === 'linux' ? false : 'the limit is read on Linux' }, async t => {
  const server = await startServer({ db: await database(t), wrap: ['sh', '-c', 'ulimit -n 200; exec "$0" "$@"'] })
  t.teardown(() => server.stop('SIGKILL'))
  t.match(server.output(), /"descriptors":200,"connections":136,"streams":10000,.*ulimit -n/)
  const sockets = Array.from({ length: 250 }, () => connect(server.port, '127.0.0.1').on('error', () => {}))
  t.teardown(() => { for (const socket of sockets) socket.destroy() })
  const ends = sockets.map(socket => once(socket, 'close'))
  while (sockets.filter(socket => socket.destroyed).length < 250 - 136) await sleep(10)
  const kept = sockets.filter(socket => !socket.destroyed)
  t.equal(kept.length, 136, 'who is beyond is cut off')
  for (const socket of kept) socket.destroy()
  await Promise.all(ends)
  while (!await fetch(`${server.url}/health`).then(({ ok }) => ok, () => false)) await sleep(10)
  for (let n = 0; n < 3; n++) {
    const { json } = await post(`${server.url}/sync/push`, pushOf('todos', [{ documentId: `d${n}`, operation: 'insert', document: { n } }]))
    t.equal(json.success, true)
  }
})
