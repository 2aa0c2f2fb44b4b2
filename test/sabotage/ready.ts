import type { Sabotage } from './sabotage.ts'

const test = 'test/sync/ready.test.ts'
const property = 'promise 4 (Safe checkpoints): a page that was kept ready'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 6 (Private): an erasure tells nobody who keeps pages',
    file: 'src/compose.ts',
    find: 'keepers: [feed, ready]',
    replace: 'keepers: [feed]',
    test: 'test/security/erased.test.ts',
    title: 'promise 6 (Private): once something was erased'
  },
  {
    breaks: 'promise 4 (Safe checkpoints): nobody looks whether documents have left a page that is kept',
    file: 'src/changelog/sqlite/reader.ts',
    find: 'return more ? stampText(this.#epochs, scanned, count) : null',
    replace: 'return more ? query.stamp! : null',
    test,
    title: property
  },
  {
    breaks: 'promise 4 (Safe checkpoints): a page that is kept says that more follows when all of that is gone',
    file: 'src/changelog/sqlite/reader.ts',
    find: 'return more ? stampText',
    replace: 'return count > 0 ? stampText',
    test,
    title: property
  },
  {
    breaks: 'promise 8 (Convergent): of a page that is kept nobody knows in which epoch',
    file: 'src/changelog/sqlite/reader.ts',
    find: '.id}`\n}\n\nfunction scannedIn',
    replace: '.id.length}`\n}\n\nfunction scannedIn',
    test,
    title: 'promise 8 (Convergent): a log of another epoch'
  },
  {
    breaks: 'promise 6 (Private): what was erased stays in the pages that are kept',
    file: 'src/sync/ready.ts',
    find: 'this.#cache.forget(this.#log)',
    replace: '',
    test,
    title: 'promise 6 (Private): what was erased'
  },
  {
    breaks: 'promise 6 (Private): a page that is read while something is erased is kept',
    file: 'src/sync/ready.ts',
    find: 'this.#forgotten++',
    replace: '',
    test,
    title: 'promise 6 (Private): what was erased'
  },
  {
    breaks: 'promise 7 (Isolated): pages are kept without end',
    file: 'src/sync/ready.ts',
    find: 'if (this.#bytes <= this.#max) return',
    replace: 'return',
    test,
    title: 'promise 7 (Isolated): what is kept stays'
  },
  {
    breaks: 'promise 6 (Private): who is kept from something shares pages with who is not',
    file: 'src/sync/view.ts',
    find: 'return channels === undefined && judge === null',
    replace: 'return channels === undefined',
    test: 'test/sync/access-reads.test.ts',
    title: 'promise 6 (Private): what a rule throws'
  }
]
