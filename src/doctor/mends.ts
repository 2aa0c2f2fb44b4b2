/** The lines of configuration that mend what a check found. Each is applied to the proxy it is for by test/proxies/doctor.test.ts. */

export const proxies = ['nginx', 'haproxy', 'caddy', 'apache', 'varnish'] as const
export type Proxy = typeof proxies[number]

/** What is to be mended. */
export type Remedy =
  | 'buffering' | 'idle' | 'compression' | 'body-size' | 'caching' | 'authorization' | 'last-event-id' | 'errors'
  | 'encoded-slash' | 'http2' | 'cookies' | 'cors' | 'cache-control'

export interface Mend {
  readonly proxy: Proxy
  /** Where in its configuration. */
  readonly where: string
  readonly lines: readonly string[]
  /** The line is what is wrong. */
  readonly takeOut?: true
}

export interface MendFacts {
  /** Of the site before /sync/, "" for none. */
  readonly base: string
  /** Silence that must be borne, s. */
  readonly idleSeconds: number
  /** Bodies that must pass. */
  readonly bodyBytes: number
}

type Place = readonly [where: string, ...lines: string[]]
type Table = Readonly<Partial<Record<Proxy, Place | { readonly out: Place }>>>

/** @param guessed those that seem to be on the way; none: every one that can have the fault */
export function mendsOf (remedy: Remedy, guessed: readonly Proxy[], facts: MendFacts): Mend[] {
  const table = tables(facts)[remedy]
  const mine = proxies.filter(proxy => table[proxy] !== undefined)
  const wanted = mine.filter(proxy => guessed.includes(proxy))
  return (wanted.length > 0 ? wanted : mine).map(proxy => {
    const place = table[proxy]!
    const isOut = 'out' in place
    const [where, ...lines] = isOut ? place.out : place
    return { proxy, where, lines, ...isOut && { takeOut: true as const } }
  })
}

function tables ({ base, idleSeconds, bodyBytes }: MendFacts): Record<Remedy, Table> {
  const sync = `${base}/sync/`
  const location = `location ${sync}`
  const mebibytes = Math.ceil(bodyBytes / 2 ** 20)
  const backend = 'the backend'
  const reverse = 'reverse_proxy'
  const host = 'the VirtualHost'
  return {
    buffering: {
      nginx: [location, 'proxy_buffering off;'],
      haproxy: [backend, 'option http-no-delay'],
      caddy: { out: [reverse, 'buffer_responses'] },
      apache: [host, `<Location "${sync}stream">`, '  SetOutputFilter NONE', '</Location>'],
      varnish: ['vcl_backend_response', 'set beresp.do_stream = true;']
    },
    idle: {
      nginx: [location, `proxy_read_timeout ${idleSeconds}s;`],
      haproxy: [backend, `timeout server ${idleSeconds}s`],
      caddy: [reverse, 'transport http {', `  read_timeout ${idleSeconds}s`, '}'],
      apache: [host, `ProxyTimeout ${idleSeconds}`],
      varnish: ['backend', `.first_byte_timeout = ${idleSeconds}s;`, `.between_bytes_timeout = ${idleSeconds}s;`]
    },
    compression: {
      nginx: [`location ${sync}stream`, 'gzip off;'],
      haproxy: { out: [backend, 'compression type text/event-stream'] },
      caddy: { out: ['encode', 'header Content-Type text/event-stream*'] },
      apache: [host, `SetEnvIf Request_URI "^${sync}stream" no-gzip=1 no-brotli=1`],
      varnish: ['vcl_backend_response', 'if (beresp.http.Content-Type ~ "event-stream") { set beresp.do_gzip = false; }']
    },
    'body-size': {
      nginx: [location, `client_max_body_size ${mebibytes}m;`],
      caddy: ['the site', 'request_body {', `  max_size ${mebibytes}MiB`, '}'],
      apache: [host, `<Location "${sync}">`, `  LimitRequestBody ${mebibytes * 2 ** 20}`, '</Location>']
    },
    caching: {
      nginx: [location, 'proxy_cache off;'],
      haproxy: [backend, `http-request set-var(txn.sync) bool(true) if { path_beg ${sync} }`],
      apache: [host, `CacheDisable "${sync}"`],
      varnish: ['vcl_recv', `if (req.url ~ "^${sync}") { return (pass); }`]
    },
    authorization: {
      nginx: [location, 'proxy_set_header Authorization $http_authorization;'],
      haproxy: { out: [backend, 'http-request del-header Authorization'] },
      caddy: { out: [reverse, 'header_up -Authorization'] },
      apache: { out: [host, 'RequestHeader unset Authorization'] },
      varnish: { out: ['vcl_recv', 'unset req.http.Authorization;'] }
    },
    'last-event-id': {
      nginx: [location, 'proxy_set_header Last-Event-ID $http_last_event_id;'],
      haproxy: { out: [backend, 'http-request del-header Last-Event-ID'] },
      caddy: { out: [reverse, 'header_up -Last-Event-ID'] },
      apache: { out: [host, 'RequestHeader unset Last-Event-ID'] },
      varnish: { out: ['vcl_recv', 'unset req.http.Last-Event-ID;'] }
    },
    errors: {
      nginx: [location, 'proxy_intercept_errors off;'],
      haproxy: { out: [backend, 'http-response return status 404'] },
      caddy: { out: [reverse, 'handle_response'] },
      apache: [host, 'ProxyErrorOverride Off'],
      varnish: { out: ['vcl_backend_response', 'return (error)'] }
    },
    'encoded-slash': {
      nginx: [location, 'proxy_pass http://…; without a path after the port'],
      apache: [host, 'AllowEncodedSlashes NoDecode']
    },
    http2: {
      nginx: ['the server', 'listen 443 ssl http2;'],
      haproxy: ['the frontend', 'bind :443 ssl crt … alpn h2,http/1.1'],
      apache: [host, 'Protocols h2 http/1.1']
    },
    cookies: {
      nginx: [location, 'proxy_hide_header Set-Cookie;'],
      haproxy: { out: [backend, 'cookie'] },
      caddy: { out: [reverse, 'lb_policy cookie'] },
      apache: { out: [host, 'Header add Set-Cookie'] },
      varnish: ['vcl_deliver', `if (req.url ~ "^${sync}") { unset resp.http.Set-Cookie; }`]
    },
    cors: {
      nginx: { out: [location, 'add_header Access-Control-Allow-Origin'] },
      haproxy: { out: [backend, 'http-response add-header Access-Control-Allow-Origin'] },
      caddy: { out: ['the site', 'header +Access-Control-Allow-Origin'] },
      apache: { out: [host, 'Header add Access-Control-Allow-Origin'] },
      varnish: { out: ['vcl_deliver', 'set resp.http.Access-Control-Allow-Origin'] }
    },
    'cache-control': {
      nginx: [location, 'expires off;'],
      haproxy: { out: [backend, 'http-response set-header Cache-Control'] },
      caddy: { out: ['the site', 'header Cache-Control'] },
      apache: [host, `<Location "${sync}">`, '  ExpiresActive Off', '</Location>'],
      varnish: { out: ['vcl_deliver', 'set resp.http.Cache-Control'] }
    }
  }
}
