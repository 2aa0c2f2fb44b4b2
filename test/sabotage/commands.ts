import type { Sabotage } from './sabotage.ts'

const check = 'test/changelog/check.test.ts'
const documents = 'test/cli/documents.test.ts'
const terminal = 'test/cli/terminal.test.ts'
const planted = 'promise 9 (Clear): check finds each kind of planted damage'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 9 (Clear), check: checksums of entries are not compared',
    file: 'src/changelog/sqlite/check-entries.ts',
    find: 'else if (!isIntact(row, name))',
    replace: 'else if (row.length === 0)',
    test: check,
    title: planted
  },
  {
    breaks: 'promise 9 (Clear), check: heads are not compared with the entries of their documents',
    file: 'src/changelog/sqlite/check-entries.ts',
    find: 'if (isNewest === (head === sequence)) return',
    replace: 'if (head !== -1) return',
    test: check,
    title: planted
  },
  {
    breaks: 'promise 9 (Clear), check: a head may name an entry that is gone',
    file: 'src/changelog/sqlite/check-entries.ts',
    find: 'if (entryId === null) yield',
    replace: 'if (sequence < 0) yield',
    test: check,
    title: planted
  },
  {
    breaks: 'check: a document that moves while it runs is called damaged',
    file: 'src/changelog/sqlite/check-entries.ts',
    find: 'if (link === place.sequence) return',
    replace: '',
    test: check,
    title: 'check: what is written or compacted meanwhile is no damage'
  },
  {
    breaks: 'promise 9 (Clear), program: text on a terminal may turn its direction',
    file: 'src/cli/terminal.ts',
    find: '\\p{Cc}\\p{Cf}',
    replace: '\\p{Cc}',
    test: terminal,
    title: 'promise 9 (Clear): no text plays tricks with a terminal'
  },
  {
    breaks: 'promise 9 (Clear), program: documents on a terminal are printed as they are',
    file: 'src/cli/entry-lines.ts',
    find: 'cut(harmless(document), ',
    replace: 'cut(document, ',
    test: terminal,
    title: 'promise 9 (Clear): no line that a command shows'
  },
  {
    breaks: 'promise 9 (Clear), program: JSON on a terminal is printed as it is',
    file: 'src/cli/terminal.ts',
    find: 'writer.isTerminal ? harmless(text) : text',
    replace: 'text',
    test: terminal,
    title: 'promise 9 (Clear): no line that a command shows'
  },
  {
    breaks: 'promise 9 (Clear), program: a command that changes a log begins one where there is none',
    file: 'src/cli/pocket.ts',
    find: 'await withView(db, async () => {})',
    replace: '',
    test: 'test/cli/history.test.ts',
    title: 'promise 9 (Clear): a log that is not there'
  },
  {
    breaks: 'promise 3 (Once), import: plain documents are edited anew at every run',
    file: 'src/cli/commands/import.ts',
    find: 'return Math.floor(found.mtimeMs)',
    replace: 'return now() - Math.floor(found.mtimeMs) % 2',
    test: documents,
    title: 'promise 7 (Isolated): import tells each refused line'
  },
  {
    breaks: 'promise 7 (Isolated), import: a line that is wrong outside of its document takes the others with it',
    file: 'src/cli/importer.ts',
    find: 'if (items.length > 1) for',
    replace: 'if (items.length > 1_000_000) for',
    test: documents,
    title: 'promise 7 (Isolated): a line of an export'
  },
  {
    breaks: 'export: a document that is written meanwhile is missing',
    file: 'src/changelog/sqlite/snapshot.ts',
    find: 'this.#followMoved(after)\n      return',
    replace: 'return',
    test: 'test/changelog/snapshot.test.ts',
    title: 'snapshot of a file: however others write meanwhile'
  },
  {
    breaks: 'export: half a line stays in the middle of the file',
    file: 'src/cli/export-target.ts',
    find: 'if (!found.whole) await told(name, file.truncate(found.end))',
    replace: '',
    test: documents,
    title: 'export --to goes on with a file cut short'
  }
]
