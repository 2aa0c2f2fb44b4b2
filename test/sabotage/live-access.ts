import type { Sabotage } from './sabotage.ts'

const test = 'test/sync/live-access.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 6 (Private): how another node has filed the log is never asked again',
    file: 'src/sync/view.ts',
    find: 'store.supports.sharedByProcesses && Math',
    replace: 'store.supports.durable && Math',
    test: 'test/sync/views.test.ts',
    title: 'promise 6 (Private): the digest of rights follows'
  },
  {
    breaks: 'promise 6 (Private): who starts over is shown what the ring has of before its rights changed',
    file: 'src/sync/delivery.ts',
    find: 'stream.doubtful = this.#options.views !== null\n    stream.seenHead = 0',
    replace: 'stream.seenHead = 0',
    test: 'test/sync/live-access-properties.test.ts',
    title: 'promise 5 (Live is pull) and promise 6 (Private): whatever moves and wherever streams are cut, each shows what its user may see, and no byte else: authorize that waits'
  },
  {
    breaks: 'promise 5 (Live is pull): rights that come while a page is made show what was overwritten before them',
    file: 'src/sync/page.ts',
    find: 'if (gathered.rows.length > 0) await query.view.assertKept?.()',
    replace: '',
    test: 'test/sync/access-reads.test.ts',
    title: 'promise 5 (Live is pull): rights that come while a page is made'
  },
  {
    breaks: 'promise 5 (Live is pull): rights that come while a live batch is made show what was overwritten before them',
    file: 'src/sync/frame-maker.ts',
    find: 'if (rows.length > 0) await assertKept?.()',
    replace: '',
    test: 'test/sync/live-access-properties.test.ts',
    title: 'promise 5 (Live is pull) and promise 6 (Private): whatever moves and wherever streams are cut, each shows what its user may see, and no byte else: authorize that waits'
  },
  {
    breaks: 'promise 6 (Private): frames are shared by users',
    file: 'src/sync/scopes.ts',
    find: 'const key = this.#alike ? null : keyOf(user)',
    replace: 'const key = null',
    test,
    title: 'promise 6 (Private): no frame is made for two users'
  },
  {
    breaks: 'promise 6 (Private): users whose data look alike are taken for one',
    file: 'src/sync/scopes.ts',
    find: 'isDeepStrictEqual(JSON.parse(text), user) ? text : user',
    replace: 'text',
    test,
    title: 'promise 6 (Private): users that only look alike'
  },
  {
    breaks: 'promise 6 (Private): the ring knows of a document only where its newest version is filed',
    file: 'src/sync/filings.ts',
    find: 'new Set([row.position, ...(filed ?? []).map(({ position }) => position)])',
    replace: 'new Set([row.position])',
    test,
    title: 'promise 6 (Private): a leave that a later change follows'
  },
  {
    breaks: 'promise 6 (Private): streams pass the place of a leave that a later page of the tail tells of',
    file: 'src/sync/tail.ts',
    find: "if (this.#options.sight === 'channels' && page.scanned < page.head) return",
    replace: "if (this.#options.sight === 'channels' && page.scanned < 0) return",
    test,
    title: 'promise 6 (Private): a leave is a removal also'
  },
  {
    breaks: 'promise 6 (Private): an answer about rights counts for what was read after the question',
    file: 'src/sync/grants.ts',
    find: 'const until = this.#options.tail.ring.end',
    replace: 'const until = Infinity',
    test,
    title: 'promise 6 (Private): what was read after somebody was asked about'
  },
  {
    breaks: 'promise 6 (Private): streams whose rights have changed are not told while nothing is written',
    file: 'src/sync/feed.ts',
    find: 'else this.#delivery.wake(stream)',
    replace: 'else this.#delivery.enqueue(stream)',
    test,
    title: 'promise 6 (Private): rights that change while nothing is written'
  },
  {
    breaks: 'promise 4 (Safe checkpoints): the place of a page from the ring does not say under which rights it was reached',
    file: 'src/sync/frame-maker.ts',
    find: ', scope: view.scope }',
    replace: ' }',
    test,
    title: 'promise 4 (Safe checkpoints): every id and checkpoint says'
  },
  {
    breaks: 'promise 6 (Private): a stream outlives its credential',
    file: 'src/sync/expiry.ts',
    find: 'return expiresAt !== Infinity && (age >= credentialLife || this.sweepsTo(expiresAt) === 0)',
    replace: 'return age > credentialLife && expiresAt < 0',
    test,
    title: 'promise 6 (Private): a stream ends before its credential'
  },
  {
    breaks: 'promise 6 (Private): a clock that is set back prolongs credentials',
    file: 'src/sync/expiry.ts',
    find: 'age >= credentialLife || ',
    replace: '',
    test,
    title: 'promise 6 (Private): a clock that is set back'
  }
]
