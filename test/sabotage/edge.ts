import type { Sabotage } from './sabotage.ts'

const limits = 'test/security/limits.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 7 (Isolated): what is left of X-Forwarded-For is believed, whoever wrote it',
    file: 'src/http/caller.ts',
    find: 'end >= 0 && trusts(address, hop)',
    replace: 'end >= 0',
    test: limits,
    title: 'promise 7 (Isolated): X-Forwarded-For is believed of proxies that are trusted'
  },
  {
    breaks: 'promise 7 (Isolated): a failed authentication costs nothing more',
    file: 'src/http/exchange.ts',
    find: 'if (refusal.status === 401) services.rateLimits?.failed(exchange.request)',
    replace: 'if (refusal.status === 401) void 0',
    test: limits,
    title: 'promise 7 (Isolated): who guesses tokens is slowed down'
  },
  {
    breaks: 'promise 7 (Isolated): a push is taken while earlier ones are not paid for',
    file: 'src/http/push.ts',
    find: 'rateLimits?.assertSolvent(exchange) ?? null',
    replace: 'null',
    test: limits,
    title: 'promise 7 (Isolated): who changes more than a minute gives'
  },
  {
    breaks: 'promise 6 (Private): every origin that asks is answered with its own name',
    file: 'src/http/cors.ts',
    find: 'return this.#origins === null || this.#origins.has(origin)',
    replace: 'return true',
    test: 'test/http/cors.test.ts',
    title: 'promise 6 (Private): pages of other origins may nothing'
  },
  {
    breaks: 'promise 6 (Private): of HTTP/2 the name that is asked for is not looked at',
    file: 'src/http/loopback.ts',
    find: "headers.host ?? headers[':authority'] as string | undefined ?? ''",
    replace: "headers.host ?? 'localhost'",
    test: 'test/http/tls.test.ts',
    title: 'promise 6 (Private): without authentication :authority must be a name of this machine'
  }
]
