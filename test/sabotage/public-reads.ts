import type { Sabotage } from './sabotage.ts'

const cache = 'test/security/cache.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 6 (Private): caches may share what was answered to a request with a cookie',
    file: 'src/http/readers.ts',
    find: 'credentials.every(name => request.headers[name] === undefined) && ',
    replace: '',
    test: cache,
    title: 'threat: to be handed by a cache what was answered to somebody else'
  },
  {
    breaks: 'promise 6 (Private): a validator is of the question, not of what this caller is about to be sent',
    file: 'src/http/answer.ts',
    find: 'etagOf(body, used)',
    replace: 'etagOf(request.url!, used)',
    test: cache,
    title: 'threat: to have a 304 confirm what somebody else was sent'
  },
  {
    breaks: 'promise 8 (Convergent): a page may be made ahead under a mark to come',
    file: 'src/sync/changes.ts',
    find: 'snapshot > state.head',
    replace: 'snapshot < 0',
    test: cache,
    title: 'threat: to have a page kept under a mark to come'
  },
  {
    breaks: 'promise 8 (Convergent): a page that is kept names the epoch of its place, which a restored backup has too',
    file: 'src/sync/changes.ts',
    find: 'const newest = state.epochs.at(-1)!.id',
    replace: 'const newest = page.epoch',
    test: 'test/sync/changes.test.ts',
    title: 'promise 8 (Convergent): through a cache'
  },
  {
    breaks: 'promise 4 (Safe checkpoints): a snapshot that breaks off sends its last line all the same',
    file: 'src/http/snapshot.ts',
    find: '    lines.cut()\n    // A resync',
    replace: '    await lines.write(\'{"type":"snapshot-end"}\\n\', limits.stallMs, gone)\n    lines.end()\n    // A resync',
    test: 'test/http/snapshot.test.ts',
    title: 'promise 6 (Private): a snapshot ends with the credential'
  },
  {
    breaks: 'promise 4 (Safe checkpoints): a snapshot goes on to another end than it began with',
    file: 'src/sync/snapshot.ts',
    find: 'const { after, ...place } = known ?? {',
    replace: 'const { after, ...place } = known !== null ? { ...known, head: began.head } : {',
    test: 'test/sync/snapshot.test.ts',
    title: 'promise 4 (Safe checkpoints): a snapshot begun at any moment'
  },
  {
    breaks: 'promise 6 (Private): with channels alone, whoever reads what is public writes it',
    file: 'src/sync/sight.ts',
    find: 'channel !== except && ',
    replace: '',
    test: 'test/server/public-collections.test.ts',
    title: 'what is public is for every user too'
  }
]
