import t from 'tap'
import { resolveAccess } from '../../src/access.ts'
import { defaultLimits } from '../../src/config.ts'
import { Access } from '../../src/sync/access.ts'
import type { Caller } from '../../src/sync/caller.ts'
import { Histories, type HistoryQuery } from '../../src/sync/history.ts'
import { Sight } from '../../src/sync/sight.ts'
import { Views } from '../../src/sync/view.ts'
import { openRules, push, START } from '../support/rules.ts'

const key = { collection: 'todos', documentId: 'a' }
const callerOf = (id: string): Caller => ({ user: { id, userId: id }, clientId: null, address: null })
const operator: Caller = { user: null, clientId: null, address: null, operator: true }

const versionsOf = ({ versions }: { versions: Array<{ document: { n: number } | null }> }): Array<number | null> => versions.map(({ document }) => document?.n ?? null)

t.test('promise 6 (Private): of a history everybody is shown the versions that they may see, and of a document that they do not see nothing', async t => {
  const rules = await openRules()
  t.teardown(() => rules.close())
  const { store, clock } = rules
  const access = new Access({ rules: resolveAccess({ authorize: (user, _c, _o, document) => document['owner'] === user.id || user.id === 'admin' }), clock, limits: defaultLimits, onError: error => t.fail(String(error)) })
  const accessRules = resolveAccess({ authorize: () => true })
  const views = new Views({ store, access, rules: accessRules, clock })
  const histories = new Histories({ clock: { now: Date.now }, store, limits: defaultLimits, sight: new Sight({ store, access, views, rules: accessRules }) })
  const historyOf = async (caller: Caller, query: HistoryQuery = {}) => JSON.parse(await histories.text(key, query, caller))
  const write = (n: number, owner: string, more: object = {}) => push(rules, { changes: [{ documentId: 'a', document: { n, owner }, base: n - 1, timestamp: START + n, ...more }] }, callerOf(owner))

  await write(1, 'ada')
  await write(2, 'bob')
  await write(3, 'ada')
  await write(9, 'bob', { base: 1, timestamp: START })
  await write(8, 'ada', { base: 1, timestamp: START })
  t.strictSame(versionsOf(await historyOf(callerOf('ada'))), [3, 1])
  t.strictSame(versionsOf(await historyOf(callerOf('admin'))), [3, 2, 1])
  t.strictSame(versionsOf(await historyOf(operator)), [3, 2, 1])
  const { documentId: _, ...unknown } = JSON.parse(await histories.text({ ...key, documentId: 'nobody' }, {}, callerOf('bob')))
  const { documentId: __, ...hidden } = await historyOf(callerOf('bob'))
  t.strictSame(hidden, unknown, 'it was his once, and is as if it were not there')
  const page = await historyOf(callerOf('ada'), { limit: 2 })
  t.strictSame([versionsOf(page), page.hasMore], [[3, 1], false], 'nor is there more')
  t.match((await historyOf(callerOf('ada'))).journal, [{ raw: /"n":8/ }], 'what was lost is told to whom it came from')
  t.equal((await historyOf(operator)).journal.length, 2)

  await push(rules, { changes: [{ documentId: 'a', operation: 'delete', document: null, base: 3, timestamp: START + 20 }] }, callerOf('ada'))
  t.strictSame(versionsOf(await historyOf(callerOf('ada'))), [null, 3, 1], 'a deletion belongs to what it deleted')
  t.strictSame(versionsOf(await historyOf(callerOf('bob'))), [])
})
