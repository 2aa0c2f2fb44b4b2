import { strict } from 'node:assert'
import fc from 'fast-check'
import t from 'tap'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { Order } from '../../src/changelog/memory-order.ts'
import { changeLogSuite } from '../../src/conformance/changelog.ts'
import { put, remove, write } from '../../src/conformance/changelog/harness.ts'
import type { OpenedLog } from '../../src/conformance/changelog.ts'
import { modelProperty } from './model.ts'

let opened = 0

/** Every other one is a tenant's: promises are the same. */
async function open (): Promise<OpenedLog> {
  let store = opened++ % 2 === 0 ? new MemoryChangeLog() : new MemoryChangeLog().tenant('acme')
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

t.test('compact: goes in steps, between which commits are taken, and leaves nothing behind', async t => {
  const store = new MemoryChangeLog()
  const ids = Array.from({ length: 3500 }, (_, i) => `${i}`)
  await write(store, ids.map(id => put(id, 1)))
  await write(store, ids.map(id => remove(id)))
  const compacting = store.compact({ tombstonesBefore: Infinity, pushesBefore: Infinity })
  await write(store, [put('0', 2), put('new', 1)])
  await compacting
  t.same((await store.getSince(0)).map(entry => entry.documentId), ['0', 'new'])
  t.match(store.stats(), { entries: 2, documents: 2, identities: 0, pushes: 0 })
  const heads = await store.heads(ids.map(documentId => ({ collection: 'todos', documentId })))
  t.equal(heads.filter(({ head }) => head !== null).length, 1)
})

t.test('compact: ends when the log is closed', async t => {
  const store = new MemoryChangeLog()
  await write(store, Array.from({ length: 5000 }, (_, i) => put('a', i)))
  const compacting = store.compact()
  await store.close()
  await t.resolves(compacting)
})

t.test('order: a walk meets each value once, whatever was removed and rewritten', async () => {
  fc.assert(fc.property(fc.array(fc.record({ add: fc.boolean(), nth: fc.nat(400) }), { maxLength: 600, size: 'max' }), fc.nat(600), (steps, after) => {
    const order = new Order<string>()
    const model = new Map<number, string>()
    let position = 0
    for (const { add, nth } of steps) {
      if (add || model.size === 0) {
        position += 1 + nth % 3
        order.add(position, `${position}`)
        model.set(position, `${position}`)
      } else {
        const gone = [...model.keys()][nth % model.size]!
        order.remove(gone)
        order.remove(gone)
        model.delete(gone)
      }
    }
    strict.deepEqual([...order.after(after)], [...model].filter(([at]) => at > after).map(([, value]) => value))
    strict.equal(order.size, model.size)
    for (let at = 0; at <= position + 1; at++) strict.equal(order.get(at), model.get(at))
  }), { numRuns: 50 })
})

t.test('a tenant keeps what it holds when its log is closed, and knows nothing of the others', async t => {
  const store = new MemoryChangeLog()
  const first = store.tenant('a')
  await write(first, [put('x', 1)])
  const [epochs, secret] = [await first.epochs(), await first.secret()]
  await first.close()
  await t.rejects(first.getCurrentSequence(), { code: 'storage_unavailable' })
  const again = store.tenant('a')
  t.same((await again.getSince(0)).map(entry => entry.documentId), ['x'])
  t.same([(await again.epochs())[0], await again.secret()], [epochs[0], secret])
  for (const other of [store, store.tenant('b')]) t.equal(await other.getCurrentSequence(), 0)
})
