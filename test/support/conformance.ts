/** A server that holds all that its conformance suite asks for: two users with documents of their own, limits that are soon reached. */
import type { PocketServerOptions } from '../../src/config.ts'
import type { ServerSuiteOptions } from '../../src/conformance/server.ts'
import { startApp, type Started } from './app.ts'
import { hmacToken, claims, SECRET } from './tokens.ts'

interface Test { teardown (action: () => unknown): void }

export const CONFORMING: PocketServerOptions = {
  jwt: { secret: SECRET },
  authorize: (user, _collection, _operation, document) => document['owner'] === undefined || document['owner'] === user?.id,
  publicCollections: ['news'],
  trustProxy: ['loopback'],
  rateLimit: false,
  heartbeatInterval: 5000,
  // Larger than what proxies take unless they are told to, and quickly exceeded.
  limits: { bodyBytes: 4 * 1024 * 1024 }
}

const user = (name: string) => ({ token: hmacToken(claims({ sub: name })), owns: { owner: name } })

/** The rest of the suite's options. */
export const AS_USERS: Pick<ServerSuiteOptions, 'users' | 'publicCollection'> = { users: [user('alice'), user('bob')], publicCollection: 'news' }

export function startConforming (t: Test, options: PocketServerOptions = {}): Promise<Started> {
  return startApp(t, { ...CONFORMING, ...options })
}
