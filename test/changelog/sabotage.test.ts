import t from 'tap'
import { setImmediate } from 'node:timers/promises'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import type {
  ChangeStore, Committed, CompactPolicy, HeadAnswer, HeadKey, Page, Push, ReadQuery, StoredEntry
} from '../../src/changelog/changelog.ts'
import { changeLogSuite } from '../../src/conformance/changelog.ts'

/** The titles of the suite's tests that this log fails. */
async function failures (Log: new () => ChangeStore): Promise<string[]> {
  const tests: Array<[string, () => Promise<void>]> = []
  await changeLogSuite({
    test: (title, run) => tests.push([title, run]),
    open: async () => {
      let store = new Log()
      return { store, reopen: async () => (store = new Log()), destroy: () => store.close() }
    }
  })
  const failed: string[] = []
  for (const [title, run] of tests) await run().catch(() => failed.push(title))
  return failed
}

class ReadsInclusively extends MemoryChangeLog {
  override read (query: ReadQuery): Promise<Page> {
    return super.read({ ...query, after: typeof query.after === 'number' ? query.after - 1 : query.after })
  }
}

class HandsOutTheHead extends MemoryChangeLog {
  override async read (query: ReadQuery): Promise<Page> {
    const page = await super.read(query)
    return { ...page, scanned: page.head }
  }
}

class SendsSuperseded extends MemoryChangeLog {
  override async read (query: ReadQuery): Promise<Page> {
    const page = await super.read(query)
    if (typeof query.after !== 'number' || query.channels !== undefined) return page
    const rows = (await this.getSince(query.after, query.limit)).map(entry => ({ position: entry.sequence, entry: entry as StoredEntry, member: true }))
    return { ...page, rows, scanned: rows.length === query.limit ? rows.at(-1)!.position : page.head }
  }
}

class ShowsTheHeadBeforeItsEntries extends MemoryChangeLog {
  #hidden = 0
  override async commit (push: Push): Promise<Committed> {
    const committed = await super.commit(push)
    const hidden = await this.getCurrentSequence()
    this.#hidden = hidden
    await setImmediate()
    if (this.#hidden === hidden) this.#hidden = 0
    return committed
  }

  override async read (query: ReadQuery): Promise<Page> {
    const page = await super.read(query)
    return { ...page, rows: page.rows.filter(row => row.position !== this.#hidden) }
  }
}

class ForgetsPushes extends MemoryChangeLog {
  override commit (push: Push): Promise<Committed> {
    return super.commit({ ...push, key: crypto.getRandomValues(new Uint8Array(32)) })
  }
}

class WritesWhatItCan extends MemoryChangeLog {
  override async commit (push: Push): Promise<Committed> {
    const committed = await super.commit(push)
    if (committed.status !== 'moved') return committed
    const moved = new Set(committed.heads.map(head => head.documentId))
    return await super.commit({ ...push, entries: push.entries.filter(entry => !moved.has(entry.documentId)) })
  }
}

class ChecksAndThenWrites extends MemoryChangeLog {
  override async commit (push: Push): Promise<Committed> {
    const heads = await super.heads(push.entries)
    const fits = push.entries.every((entry, i) => entry.expected === (heads[i]!.head?.sequence ?? 0))
    const committed = await super.commit(push)
    if (!fits || committed.status !== 'moved') return committed
    const now = new Map(committed.heads.map(head => [head.documentId, head.sequence]))
    return await super.commit({ ...push, entries: push.entries.map(entry => ({ ...entry, expected: now.get(entry.documentId) ?? entry.expected })) })
  }
}

class KnowsTheNewestIdentityOnly extends MemoryChangeLog {
  override async heads (keys: readonly HeadKey[]): Promise<HeadAnswer[]> {
    const answers = await super.heads(keys)
    return answers.map(answer => answer.duplicateOf === answer.head?.sequence ? answer : { ...answer, duplicateOf: 0 })
  }
}

class JudgesLeavesByTheHead extends MemoryChangeLog {
  override async read (query: ReadQuery): Promise<Page> {
    const page = await super.read(query)
    return { ...page, rows: page.rows.filter(row => row.position === row.entry.sequence) }
  }
}

class ParsesDocuments extends MemoryChangeLog {
  override commit (push: Push): Promise<Committed> {
    return super.commit({ ...push, entries: push.entries.map(entry => ({ ...entry, document: entry.document && JSON.stringify(JSON.parse(entry.document)) })) })
  }
}

class PurgesInSilence extends MemoryChangeLog {
  override async horizon (): Promise<number> {
    return 0
  }

  override async read (query: ReadQuery): Promise<Page> {
    return { ...await super.read(query), horizon: 0 }
  }
}

class CompactsTooMuch extends MemoryChangeLog {
  override compact (policy?: CompactPolicy): Promise<void> {
    return super.compact(policy && { ...policy, historyBefore: Infinity })
  }
}

class StaysOpen extends MemoryChangeLog {
  override async close (): Promise<void> {}
}

const sabotages: ReadonlyArray<[new () => ChangeStore, RegExp]> = [
  [ReadsInclusively, /^read: the newest entry per document with a position after/],
  [HandsOutTheHead, /^read: any page size concatenates/],
  [SendsSuperseded, /^read: the newest entry per document/],
  [ShowsTheHeadBeforeItsEntries, /^promise 2 \(Ordered\): with twenty writers/],
  [ForgetsPushes, /^promise 3 \(Once\): the same push twenty times at once/],
  [WritesWhatItCan, /^commit: a push is all or nothing/],
  [ChecksAndThenWrites, /^commit: of twenty pushes that expect the same head/],
  [KnowsTheNewestIdentityOnly, /^promise 3 \(Once\): an identity is found under its first sequence/],
  [JudgesLeavesByTheHead, /^promise 6 \(Private\): a document that left is removed where it left/],
  [ParsesDocuments, /^entry: a document comes back as the very text it was/],
  [PurgesInSilence, /^promise 8 \(Convergent\): compaction changes nothing/],
  [CompactsTooMuch, /^compact: what was superseded before a time goes/],
  [StaysOpen, /^close: idempotent/]
]

t.test('the suite passes a log that keeps every promise', async t => t.same(await failures(MemoryChangeLog), []))

for (const [Log, title] of sabotages) {
  t.test(`the suite finds a log that breaks a promise: ${Log.name}`, async t => {
    const failed = await failures(Log)
    t.ok(failed.some(failure => title.test(failure)), String(title), { failed })
  })
}
