import type { Sabotage } from './sabotage.ts'

const examine = 'test/doctor/examine.test.ts'
const verdicts = 'test/doctor/verdicts.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'doctor: streams that are held back are called healthy',
    file: 'src/doctor/stream.ts',
    find: 'return problem(name, `nothing arrived within',
    replace: 'return ok(name, `nothing arrived within',
    test: verdicts,
    title: 'stream: hello and what follows it'
  },
  {
    breaks: 'promise 6 (Private), doctor: the token goes where a redirect points',
    file: 'src/doctor/ask.ts',
    find: '    hearing.head(answer.statusCode!, joined(answer), answer.httpVersion)\n',
    replace: '    hearing.head(answer.statusCode!, joined(answer), answer.httpVersion)\n    if (answer.headers.location !== undefined) plain(new URL(answer.headers.location, url), { headers: headersOf(question, site) }).on(\'error\', () => {}).end()\n',
    test: examine,
    title: 'promise 6 (Private): the token goes to the host that was named'
  },
  {
    breaks: 'promise 6 (Private), doctor: a token that a server hands back is told',
    file: 'src/doctor/ask.ts',
    find: 'token.length < SECRET ? text',
    replace: 'token.length > 0 ? text',
    test: examine,
    title: 'promise 6 (Private): the token goes to the host that was named'
  },
  {
    breaks: 'promise 6 (Private), doctor: an answer of another user is not noticed where no header tells of a cache',
    file: 'src/doctor/cache.ts',
    find: 'if (foreign !== undefined) return',
    replace: 'if (foreign !== undefined && first.heard.headers.has(\'age\')) return',
    test: 'test/doctor/caches.test.ts',
    title: 'promise 6 (Private): a cache that hands the answer'
  }
]
