import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'
import type { TrustProxy } from '../edge.ts'
import { SyncError } from '../errors.ts'
import type { Caller } from '../sync/caller.ts'
import type { Exchange } from './exchange.ts'

/** From which address a request comes; null where that is not known. */
export type AddressOf = (request: IncomingMessage) => string | null

/** @param clientId as the message has it; else the header `Sync-Client-Id` counts */
export function callerOf ({ request, user, addressOf }: Pick<Exchange, 'request' | 'user' | 'addressOf'>, clientId: string | undefined): Caller {
  return { user, clientId: clientId ?? clientIdOf(request.headers['sync-client-id']), address: addressOf(request) }
}

function clientIdOf (header: string | string[] | undefined): string | null {
  if (header === undefined) return null
  if (typeof header !== 'string' || header.length < 1 || header.length > 128) {
    throw new SyncError('invalid_message', { detail: 'Sync-Client-Id has 1 to 128 characters' })
  }
  return header
}

/**
 * The peer's address, or the one that the last proxy which is trusted names: who stands before it may write into
 * `X-Forwarded-For` what they like. Its entries are read from the end, the peer's own side.
 */
export function makeAddressOf (trustProxy: TrustProxy): AddressOf {
  if (trustProxy === false || trustProxy === 0) return peerOf
  const trusts = trustIn(trustProxy)
  return (request) => {
    let address = peerOf(request)
    const header = request.headers['x-forwarded-for']
    if (address === null || typeof header !== 'string') return address
    let end = header.length
    for (let hop = 0; end >= 0 && trusts(address, hop); hop++) {
      const comma = end === 0 ? -1 : header.lastIndexOf(',', end - 1)
      const next = addressIn(header.slice(comma + 1, end))
      if (next === null) return address
      address = next
      end = comma
    }
    return address
  }
}

function peerOf ({ socket }: IncomingMessage): string | null {
  return socket.remoteAddress === undefined ? null : plainAddress(socket.remoteAddress)
}

/** One spelling for one machine: a socket for both families calls 192.0.2.1 ::ffff:192.0.2.1. */
export function plainAddress (address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}

/** Some proxies add the port. Null for what is no address: `unknown`, or a name. */
function addressIn (text: string): string | null {
  const [, bracketed, dotted] = /^\s*(?:\[([^\]]+)\](?::\d+)?|([\d.]+):\d+)\s*$/.exec(text) ?? []
  const address = (bracketed ?? dotted ?? text.trim()).toLowerCase()
  return isIP(address) === 0 ? null : plainAddress(address)
}

/** Answers that are kept: a look into a list costs more than all else here. */
const KNOWN = 1000

function trustIn (trustProxy: Exclude<TrustProxy, false>): (address: string, hop: number) => boolean {
  if (trustProxy === true) return () => true
  if (typeof trustProxy === 'number') return (_address, hop) => hop < trustProxy
  const list = listOf(trustProxy)
  const known = new Map<string, boolean>()
  return (address) => {
    const before = known.get(address)
    if (before !== undefined) return before
    if (known.size >= KNOWN) known.clear()
    const trusted = list.check(address, family(address))
    known.set(address, trusted)
    return trusted
  }
}

/** Whether a peer is a proxy whose word is trusted. */
export function trustsPeer (trustProxy: TrustProxy): (address: string) => boolean {
  if (trustProxy === false) return () => false
  const trusts = trustIn(trustProxy)
  return address => trusts(address, 0)
}

function listOf (networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    if (bits === undefined) list.addAddress(address, family(address))
    else list.addSubnet(address, Number(bits), family(address))
  }
  return list
}

function family (address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4'
}

/**
 * Who counts as one: an IPv4 address, or an IPv6 network of 64 bits, of which every household has one and can take any
 * address within. A text that is the same for all of them.
 */
export function networkOf (address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('%')[0]!.split('::')
  const left = head === '' ? [] : head.split(':')
  if (tail !== undefined && left.length < 4) {
    const right = tail === '' ? [] : tail.split(':')
    const words = right.length + (tail.includes('.') ? 1 : 0)
    left.push(...Array<string>(Math.max(0, 8 - left.length - words)).fill('0'), ...right)
  }
  return `${left.slice(0, 4).map(word => word.replace(/^0+(?=.)/, '')).join(':')}::/64`
}
