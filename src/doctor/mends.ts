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

/** Lines to put in, or the beginning of those to take out. */
type Fix = readonly [where: string, ...lines: string[]] | { readonly out: readonly [where: string, ...lines: string[]] }
type Table = Readonly<Partial<Record<Proxy, readonly Fix[]>>>

/** @param guessed those that seem to be on the way; none: every one that can have the fault */
export function mendsOf (remedy: Remedy, guessed: readonly Proxy[], facts: MendFacts): Mend[] {
  const table = tables(facts)[remedy]
  const mine = proxies.filter(proxy => table[proxy] !== undefined)
  const wanted = mine.filter(proxy => guessed.includes(proxy))
  return (wanted.length > 0 ? wanted : mine).flatMap(proxy => table[proxy]!.map(fix => {
    const isOut = 'out' in fix
    const [where, ...lines] = isOut ? fix.out : fix
    return { proxy, where, lines, ...isOut && { takeOut: true as const } }
  }))
}

const BACKEND = 'the backend'
const REVERSE = 'reverse_proxy'
const HOST = 'the VirtualHost'

function tables (facts: MendFacts): Record<Remedy, Table> {
  return { ...streams(facts), ...requests(facts), ...answers(facts) }
}

function streams ({ base, idleSeconds }: MendFacts): Record<'buffering' | 'idle' | 'compression' | 'http2', Table> {
  const sync = `${base}/sync/`
  const location = `location ${sync}`
  return {
    buffering: {
      nginx: [[location, 'proxy_buffering off;']],
      haproxy: [{ out: [BACKEND, 'http-response wait-for-body'] }],
      caddy: [{ out: [REVERSE, 'buffer_responses'] }],
      // What it compresses for its cache it holds back too.
      varnish: [['vcl_backend_response', 'if (beresp.http.Content-Type ~ "event-stream") { set beresp.do_stream = true; set beresp.do_gzip = false; }']]
    },
    idle: {
      nginx: [[location, `proxy_read_timeout ${idleSeconds}s;`]],
      haproxy: [[BACKEND, `timeout server ${idleSeconds}s`], ['the frontend', `timeout client ${idleSeconds}s`]],
      caddy: [[REVERSE, 'transport http {', `  read_timeout ${idleSeconds}s`, '}']],
      apache: [[HOST, `ProxyTimeout ${idleSeconds}`]],
      varnish: [['backend', `.first_byte_timeout = ${idleSeconds}s;`, `.between_bytes_timeout = ${idleSeconds}s;`]]
    },
    compression: {
      nginx: [[location, 'gzip off;']],
      caddy: [['the site', `@others not path ${sync}stream`, 'encode @others gzip']],
      apache: [[HOST, `SetEnvIf Request_URI "^${sync}stream" no-gzip=1 no-brotli=1`]]
    },
    http2: {
      nginx: [['the server', 'listen 443 ssl http2;']],
      haproxy: [['the frontend', 'bind :443 ssl crt … alpn h2,http/1.1']]
    }
  }
}

function requests ({ base, bodyBytes }: MendFacts): Record<'body-size' | 'authorization' | 'last-event-id' | 'encoded-slash', Table> {
  const sync = `${base}/sync/`
  const location = `location ${sync}`
  // Beyond the server's own limit it says itself what is too large.
  const mebibytes = Math.ceil(bodyBytes / 2 ** 20) + 1
  return {
    'body-size': {
      nginx: [[location, `client_max_body_size ${mebibytes}m;`]],
      caddy: [['the site', 'request_body {', `  max_size ${mebibytes}MiB`, '}']]
    },
    authorization: {
      nginx: [[location, 'proxy_set_header Authorization $http_authorization;']],
      haproxy: [{ out: [BACKEND, 'http-request del-header Authorization'] }],
      caddy: [{ out: [REVERSE, 'header_up -Authorization'] }],
      apache: [{ out: [HOST, 'RequestHeader unset Authorization'] }],
      varnish: [{ out: ['vcl_recv', 'unset req.http.Authorization'] }]
    },
    'last-event-id': {
      nginx: [[location, 'proxy_set_header Last-Event-ID $http_last_event_id;']],
      haproxy: [{ out: [BACKEND, 'http-request del-header Last-Event-ID'] }],
      caddy: [{ out: [REVERSE, 'header_up -Last-Event-ID'] }],
      apache: [{ out: [HOST, 'RequestHeader unset Last-Event-ID'] }],
      varnish: [{ out: ['vcl_recv', 'unset req.http.Last-Event-ID'] }]
    },
    'encoded-slash': {
      apache: [[HOST, 'AllowEncodedSlashes NoDecode']]
    }
  }
}

function answers ({ base }: MendFacts): Record<'caching' | 'errors' | 'cookies' | 'cors' | 'cache-control', Table> {
  const sync = `${base}/sync/`
  const location = `location ${sync}`
  return {
    caching: {
      nginx: [[location, 'proxy_cache off;']],
      haproxy: [{ out: [BACKEND, 'http-request cache-use'] }],
      apache: [[HOST, `CacheDisable "${sync}"`]],
      varnish: [['vcl_recv', `if (req.url ~ "^${sync}") { return (pass); }`]]
    },
    errors: {
      nginx: [[location, 'proxy_intercept_errors off;']],
      haproxy: [{ out: [BACKEND, 'http-response return'] }],
      caddy: [{ out: [REVERSE, 'handle_response'] }],
      apache: [[HOST, 'ProxyErrorOverride Off']],
      varnish: [{ out: ['vcl_backend_response', 'return (error'] }]
    },
    cookies: {
      nginx: [[location, 'proxy_hide_header Set-Cookie;']],
      haproxy: [{ out: [BACKEND, 'cookie'] }],
      caddy: [{ out: [REVERSE, 'lb_policy cookie'] }],
      apache: [{ out: [HOST, 'Header add Set-Cookie'] }],
      varnish: [['vcl_deliver', `if (req.url ~ "^${sync}") { unset resp.http.Set-Cookie; }`]]
    },
    cors: {
      nginx: [{ out: [location, 'add_header Access-Control-Allow-Origin'] }],
      haproxy: [{ out: [BACKEND, 'http-response add-header Access-Control-Allow-Origin'] }],
      caddy: [{ out: ['the site', 'header +Access-Control-Allow-Origin'] }],
      apache: [{ out: [HOST, 'Header add Access-Control-Allow-Origin'] }],
      varnish: [{ out: ['vcl_deliver', 'set resp.http.Access-Control-Allow-Origin'] }]
    },
    'cache-control': {
      nginx: [[location, 'expires off;']],
      haproxy: [{ out: [BACKEND, 'http-response set-header Cache-Control'] }],
      caddy: [{ out: ['the site', 'header Cache-Control'] }],
      apache: [{ out: [HOST, 'Header set Cache-Control'] }],
      varnish: [{ out: ['vcl_deliver', 'set resp.http.Cache-Control'] }]
    }
  }
}
