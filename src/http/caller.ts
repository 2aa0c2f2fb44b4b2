import { SyncError } from '../errors.ts'
import type { Caller } from '../sync/caller.ts'
import type { Exchange } from './exchange.ts'

/** @param clientId as the message has it; else the header `Sync-Client-Id` counts */
export function callerOf ({ request: { headers, socket }, user }: Pick<Exchange, 'request' | 'user'>, clientId: string | undefined): Caller {
  return { user, clientId: clientId ?? clientIdOf(headers['sync-client-id']), address: socket.remoteAddress ?? null }
}

function clientIdOf (header: string | string[] | undefined): string | null {
  if (header === undefined) return null
  if (typeof header !== 'string' || header.length < 1 || header.length > 128) {
    throw new SyncError('invalid_message', { detail: 'Sync-Client-Id has 1 to 128 characters' })
  }
  return header
}
