/** What was erased is nobody's any more, and leaves every replica: on a real server, over a file. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { PocketServer, SqliteChangeLog, type PocketServerOptions } from '../../src/index.ts'
import { post, pullOf, pushOf } from '../support/app.ts'
import { SseClient } from '../support/sse-client.ts'

async function started (t: Test, options: PocketServerOptions): Promise<{ pocket: PocketServer, changeLog: SqliteChangeLog, url: string, headers: Record<string, string> }> {
  const folder = await mkdtemp(join(tmpdir(), 'pocket-erased-'))
  const changeLog = new SqliteChangeLog(join(folder, 'pocket.db'))
  const pocket = new PocketServer({ changeLog, ...options })
  t.teardown(async () => {
    await pocket.close()
    await changeLog.close()
    await rm(folder, { recursive: true })
  })
  const { url } = await pocket.listen(0)
  return { pocket, changeLog, url, headers: { authorization: 'Bearer bob' } }
}

t.test('threat: to read what was erased from what streams are sent of the newest changes', async t => {
  const { pocket, url } = await started(t, {})
  const watching = await SseClient.connect(`${url}/sync/stream?since=0`)
  t.teardown(() => watching.close())
  await post(`${url}/sync/push`, pushOf('todos', [{ documentId: 'before' }]))
  await post(`${url}/sync/push`, pushOf('todos', [{ documentId: 'a', document: { text: 'S3CRET' } }]))
  while (!(await watching.next())!.data.includes('S3CRET'));
  await pocket.erase('todos', 'a')
  const late = await SseClient.connect(`${url}/sync/stream?since=1`)
  t.teardown(() => late.close())
  let text = ''
  while (!text.includes('"documentId":"a"')) text += (await late.next())!.data
  t.notMatch(text, /S3CRET/)
  t.match(text, /"operation":"delete"/)
})

t.test('promise 6 (Private): once something was erased no page is kept that was made before', async t => {
  const { pocket, url, changeLog } = await started(t, {})
  for (const documentId of ['a', 'b', 'c']) await post(`${url}/sync/push`, pushOf('todos', [{ documentId }]))
  const stamps: Array<string | undefined> = []
  const read = changeLog.read.bind(changeLog)
  changeLog.read = query => {
    stamps.push(query.stamp)
    return read(query)
  }
  const pull = async (): Promise<boolean> => {
    await post(`${url}/sync/pull`, pullOf({ limit: 1 }))
    return stamps.at(-1) !== undefined
  }
  t.same([await pull(), await pull()], [false, true])
  await pocket.erase('todos', 'c')
  t.same([await pull(), await pull()], [false, true])
})

t.test('threat: a removal that nobody is told of, since its evidence is erased while the rule is asked', async t => {
  let onRead = async (_document: Record<string, unknown>): Promise<void> => {}
  const authorize = async (_user: object, _collection: string, operation: string, document: Record<string, unknown>): Promise<boolean> => {
    if (operation === 'read') await onRead(document)
    return true
  }
  const { pocket, url, headers } = await started(t, { authenticate: token => ({ id: token }), authorize })
  const pull = async (members: object): Promise<any> => (await post(`${url}/sync/pull`, pullOf(members), headers)).json
  await post(`${url}/sync/push`, pushOf('todos', [{ documentId: 'a' }, { documentId: 'b' }]), headers)
  const { checkpoint, epoch } = await pull({})
  await post(`${url}/sync/push`, pushOf('todos', [{ documentId: 'b', operation: 'update', base: 2, document: { n: 2 } }]), headers)
  await post(`${url}/sync/push`, pushOf('todos', [{ documentId: 'a', operation: 'delete', document: null, base: 1 }]), headers)
  onRead = async () => {
    onRead = async () => {}
    await pocket.erase('todos', 'a')
  }
  const answer = await pull({ checkpoint, epoch })
  const removed = answer.changes?.todos?.some(({ documentId, operation }: { documentId: string, operation: string }) => documentId === 'a' && operation === 'delete')
  t.ok(removed === true || answer.code === 'resync_required', JSON.stringify(answer))
})
