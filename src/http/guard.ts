/** What is refused before a request is routed, whatever it asks for. */
import type { IncomingMessage } from 'node:http'
import { PROTOCOL_VERSION } from '../../schema/version.ts'
import type { Config } from '../config.ts'
import { SyncError } from '../errors.ts'
import { Cors } from './cors.ts'
import { Loopback } from './loopback.ts'

export type Guard = (request: IncomingMessage) => void

/** @returns throws the SyncError with which the request is refused */
export function makeGuard (config: Config): Guard {
  const { urlBytes } = config.limits
  const loopback = config.open || config.access.authenticate !== null ? null : new Loopback(config.hosts, config.cors === null ? null : new Cors(config.cors))
  return (request) => {
    const url = request.url!
    if (url.length > urlBytes) throw new SyncError('uri_too_long', { limit: { name: 'urlBytes', max: urlBytes } })
    const forwarded = checkHeaders(request)
    const query = url.indexOf('?')
    if (query !== -1) checkQuery(url.slice(query + 1))
    loopback?.check(request, forwarded)
    const protocol = request.headers['sync-protocol']
    if (protocol !== undefined && protocol !== String(PROTOCOL_VERSION)) {
      throw new SyncError('protocol_unsupported', { detail: `This server speaks version ${PROTOCOL_VERSION} of the protocol.` })
    }
  }
}

/**
 * Node takes the first Host and Authorization, joins Last-Event-ID, and passes on a coded body undecoded: with a
 * proxy that decides otherwise two requests would hide in one.
 * @returns whether a proxy has passed the request on
 */
function checkHeaders ({ rawHeaders, headers, httpVersionMajor, httpVersionMinor }: IncomingMessage): boolean {
  let hosts = 0
  let authorizations = 0
  let lastEventIds = 0
  let forwarded = false
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    switch (name) {
      case 'host': hosts++; break
      case 'authorization': authorizations++; break
      case 'last-event-id': lastEventIds++; break
      case 'transfer-encoding':
        if (rawHeaders[i + 1]!.toLowerCase() !== 'chunked') throw new SyncError('unsupported_transfer_coding', { headers: { connection: 'close' } })
        break
      default: if (!forwarded && isForwarding(name)) forwarded = true
    }
  }
  if (hosts > 1 || authorizations > 1 || lastEventIds > 1) {
    const name = hosts > 1 ? 'Host' : authorizations > 1 ? 'Authorization' : 'Last-Event-ID'
    throw new SyncError('duplicate_header', { detail: `The header ${name} was sent more than once.` })
  }
  if (httpVersionMajor >= 2 && hosts > 0 && headers.host !== headers[':authority']) throw new SyncError('bad_request', { detail: 'Host and :authority differ.' })
  if (hosts === 0 && httpVersionMajor === 1 && httpVersionMinor === 1) throw new SyncError('bad_request', { detail: 'The header Host is missing.' })
  return forwarded
}

const forwarding = new Set([
  'forwarded', 'via', 'x-real-ip', 'x-client-ip', 'x-cluster-client-ip', 'x-original-host', 'x-original-url',
  'cf-connecting-ip', 'cf-connecting-ipv6', 'true-client-ip', 'fastly-client-ip', 'fly-client-ip', 'x-envoy-external-address'
])

function isForwarding (name: string): boolean {
  return name.startsWith('x-forwarded') || forwarding.has(name)
}

/** A token in a URL ends up in every log on the way (RFC 6750, section 2.3). */
function checkQuery (query: string): void {
  if (!query.includes('token') && !query.includes('%')) return
  const names = new URLSearchParams(query)
  if (names.has('access_token') || names.has('token')) throw new SyncError('token_in_query')
}
