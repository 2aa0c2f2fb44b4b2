import { join } from 'node:path'
import t from 'tap'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { post, pullOf, pushOf, startApp } from '../support/app.ts'
import { folder } from '../support/store-disk.ts'

t.test('backup: the library copies a log that is served, and says it of one that is no file', async t => {
  const home = folder(t)
  const changeLog = new SqliteChangeLog(join(home, 'log.db'))
  t.teardown(() => changeLog.close())
  const { pocket, url } = await startApp(t, { changeLog })
  await post(`${url}/sync/push`, pushOf('todos', [{ documentId: 'a' }]))
  const path = join(home, 'backup.db')
  t.match(await pocket.backup(path), { path, bytes: Number })
  const copy = new SqliteChangeLog(path)
  t.teardown(() => copy.close())
  const second = await startApp(t, { changeLog: copy })
  t.match((await post(`${second.url}/sync/pull`, pullOf())).json, { changes: { todos: [{ documentId: 'a' }] } })
  await t.rejects((await startApp(t)).pocket.backup(path), { name: 'TypeError', message: /not kept in a file/ })
})
