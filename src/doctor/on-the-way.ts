/** What lies between, as the answers give it away. */
import type { Heard } from './ask.ts'
import { proxies } from './mends.ts'
import type { Proxy } from './mends.ts'

export interface OnTheWay {
  /** As people call them, nearest to the asker last known first. */
  readonly names: readonly string[]
  /** Those whose configuration we know. */
  readonly proxies: readonly Proxy[]
}

/** Name, header, what it holds. None of these is a promise: any can be hidden or made up. */
const signs: ReadonlyArray<readonly [name: string, header: string, value: RegExp]> = [
  ['nginx', 'server', /nginx|openresty|tengine|angie/i],
  ['Apache', 'server', /^apache(?! ?traffic)/i],
  ['Caddy', 'server', /caddy/i],
  ['Caddy', 'via', /caddy/i],
  ['Varnish', 'via', /varnish/i],
  ['Varnish', 'x-varnish', /./],
  ['HAProxy', 'server', /haproxy/i],
  ['HAProxy', 'via', /haproxy/i],
  ['Squid', 'via', /squid/i],
  ['Squid', 'x-squid-error', /./],
  ['Squid', 'x-cache', /squid/i],
  ['Traffic Server', 'server', /^ats|traffic ?server/i],
  ['Traffic Server', 'via', /traffic ?server/i],
  ['Cloudflare', 'cf-ray', /./],
  ['Cloudflare', 'server', /cloudflare/i],
  ['CloudFront', 'x-amz-cf-id', /./],
  ['Fastly', 'x-fastly-request-id', /./],
  ['Fastly', 'x-served-by', /cache-/],
  ['Google Cloud', 'via', /google/i],
  ['Envoy', 'server', /envoy|istio/i],
  ['Traefik', 'server', /traefik/i],
  ['Bunny', 'server', /bunny/i]
]

export function onTheWay (answers: readonly Heard[]): OnTheWay {
  const names = new Set<string>()
  for (const { headers } of answers) {
    for (const [name, header, value] of signs) if (value.test(headers.get(header) ?? '')) names.add(name)
    // What is no proxy of a kind we know is one all the same.
    const server = headers.get('server')
    if (server !== undefined && ![...signs].some(([, header, value]) => header === 'server' && value.test(server))) names.add(server.slice(0, 30))
  }
  return { names: [...names], proxies: proxies.filter(proxy => [...names].some(name => name.toLowerCase() === proxy)) }
}
