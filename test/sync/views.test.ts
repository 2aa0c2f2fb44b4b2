import { randomBytes } from 'node:crypto'
import t from 'tap'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { openRules } from '../support/rules.ts'

/** A log that other nodes share: one of them may file it anew, and what a server lost begins with another secret. */
class SharedLog extends MemoryChangeLog {
  override readonly supports = { durable: false, sharedByProcesses: true, facts: true, channels: true }
  key = randomBytes(32)
  filed = 'one'

  override async secret (): Promise<Uint8Array> {
    return this.key
  }

  override async filing (): Promise<string> {
    return this.filed
  }
}

t.test('promise 6 (Private): the digest of rights follows a filing or secret that another node has changed', async t => {
  const store = new SharedLog()
  const rules = await openRules({ store, channels: () => ['all'], channelsOf: () => ['all'] })
  t.teardown(() => rules.close())
  const ann = { id: 'ann', userId: 'ann' }
  const scope = async (): Promise<string> => {
    rules.clock.advance(6000)
    return (await rules.views.of(ann)).scope!
  }
  const first = await scope()
  t.equal(await scope(), first, 'while nothing has changed it stays')
  store.filed = 'two'
  const filed = await scope()
  t.not(filed, first)
  store.key = randomBytes(32)
  const anew = await scope()
  t.not(anew, filed)
  t.equal(await scope(), anew)
})
