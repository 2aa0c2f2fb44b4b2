import type { IncomingMessage } from 'node:http'
import type { User } from '../access.ts'
import type { SyncError } from '../errors.ts'
import type { NodeServices } from './services.ts'

const CLIENT = 'sync-client-id'
const CLIENT_LENGTH = 128

/** Tells operators of a request that was refused for who sent it. */
export function tellDenied ({ audit, addressOf }: Pick<NodeServices, 'audit' | 'addressOf'>, { request, user, tenant }: { request: IncomingMessage, user?: User | null, tenant?: string | null }, { status, code }: SyncError): void {
  const { [CLIENT]: client } = request.headers
  audit.refused({
    type: status === 401 ? 'unauthenticated' : 'denied',
    userId: user?.id ?? null,
    clientId: typeof client === 'string' && client.length <= CLIENT_LENGTH ? client : null,
    address: addressOf(request),
    tenant: tenant ?? null,
    code
  })
}
