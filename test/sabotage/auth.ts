import type { Sabotage } from './sabotage.ts'

const jwt = 'test/auth/jwt.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 6 (Private): another claim than sub says who it is',
    file: 'src/auth/verifier.ts',
    find: '{ ...claims, id: sub, userId: sub }',
    replace: '{ id: sub, userId: sub, ...claims }',
    test: jwt,
    title: 'promise 6 (Private): a token with the right signature'
  },
  {
    breaks: 'promise 6 (Private): the signature is not looked at',
    file: 'src/auth/verifier.ts',
    find: "    } catch {\n      throw new RefusedToken('its signature is not that of the key')\n    }\n  }\n}",
    replace: '    } catch {}\n  }\n}',
    test: jwt,
    title: 'promise 6 (Private): tampered claims'
  },
  {
    breaks: 'promise 6 (Private): spare bits of base64url are taken',
    file: 'src/auth/claims.ts',
    find: "if (bytes.toString('base64url') !== part) throw",
    replace: 'if (!/^[\\w-]*$/.test(part)) throw',
    test: jwt,
    title: 'promise 6 (Private): no token that differs in a byte'
  },
  {
    breaks: 'promise 6 (Private): critical extensions are passed over',
    file: 'src/auth/verifier.ts',
    find: 'if (crit !== undefined || b64 !== undefined) throw',
    replace: 'if (crit === 0) throw',
    test: jwt,
    title: 'promise 6 (Private): a critical extension'
  },
  {
    breaks: 'promise 6 (Private): a token for another service is taken',
    file: 'src/auth/claims.ts',
    find: 'audiences !== null && !isMeant(aud, audiences)',
    replace: 'audiences !== null && aud === null',
    test: jwt,
    title: 'promise 6 (Private): for another audience'
  },
  {
    breaks: 'promise 7 (Isolated): every made-up key id costs a look-up',
    file: 'src/auth/jwks.ts',
    find: 'const COOL_DOWN_MS = 10_000',
    replace: 'const COOL_DOWN_MS = 0',
    test: 'test/auth/jwks.test.ts',
    title: 'promise 7 (Isolated): made-up key ids'
  },
  {
    breaks: 'promise 6 (Private): history answers nobody in particular',
    file: 'src/http/history.ts',
    find: 'app.get(HISTORY_ROUTE, serveUser(',
    replace: 'app.get(HISTORY_ROUTE, ((s: Services, h: any) => (q: any, r: any) => { r.hijack(); h({ request: q.raw, response: r.raw, user: null, expiresAt: Infinity }) })(',
    test: 'test/http/authenticate.test.ts',
    title: 'promise 6 (Private): every route but those'
  },
  {
    breaks: 'promise 6 (Private): a ticket stays good after its use',
    file: 'src/auth/tickets.ts',
    find: 'if (ticket === undefined) return null',
    replace: "if (ticket === undefined || hash !== '') return ticket ?? null",
    test: 'test/auth/tickets.test.ts',
    title: 'promise 6 (Private): of many who use a ticket at once'
  },
  {
    breaks: 'promise 6 (Private): what authenticate throws is logged as it is',
    file: 'src/http/authenticate.ts',
    find: "replaceAll(part, '[token]')",
    replace: 'replaceAll(part, part)',
    test: 'test/http/authenticate.test.ts',
    title: 'promise 6 (Private): whatever authenticate does wrong'
  }
]
