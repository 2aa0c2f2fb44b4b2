/** Real proxies, configured badly, and what their operator does when told which line mends it. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mend, Proxy } from '../../src/doctor/mends.ts'
import type { Place } from './proxies/configuration.ts'
import type { Command, Kind } from './proxies/program.ts'

/** By place in the configuration, as doctor calls it. */
export type Lines = Readonly<Record<string, readonly string[]>>

export interface Faulty extends Omit<Kind, 'prepare'> {
  readonly proxy: Proxy
  readonly faults: Lines
  /** What doctor must find at least, before all is well. */
  readonly checks: readonly string[]
  /** What no line mends. */
  readonly stays?: string
  readonly configure: (place: Place, lines: Lines) => Command
}

export function kindOf ({ configure, ...faulty }: Faulty, lines: Lines): Kind {
  return { ...faulty, prepare: place => configure(place, lines) }
}

/** What a line sets: what sets the same takes its place. */
function subject (line: string): string {
  return /^((proxy_set_header|set|header) +\S+|if\b.*|<.*|\S+)/s.exec(line)?.[0] ?? line
}

/** The configuration with the line in it, or without it. @throws Error when it cannot be followed */
export function follow (lines: Lines, { where, lines: told, takeOut }: Mend): Lines {
  const here = lines[where]
  if (here === undefined) throw new Error(`there is no place called ${where}`)
  const text = told.join('\n')
  if (takeOut === true) {
    const kept = here.filter(line => !line.includes(text))
    if (kept.length === here.length) throw new Error(`there is no ${text} in ${where}`)
    return { ...lines, [where]: kept }
  }
  const added = /^[{}]|^\S+.* \{\n|^</.test(text) ? [text] : told
  const subjects = added.map(subject)
  const kept = here.filter(line => !subjects.includes(subject(line)))
  // VCL goes through its lines in order, and no further than a return.
  const end = kept.findIndex(line => line.includes('return ('))
  return { ...lines, [where]: end === -1 ? [...kept, ...added] : [...kept.slice(0, end), ...added, ...kept.slice(end)] }
}

function file ({ folder }: Place, name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const joined = (lines: Lines, where: string): string => lines[where]!.join('\n')

const nginx: Faulty = {
  name: 'nginx behind nginx',
  proxy: 'nginx',
  program: 'nginx',
  packageName: 'nginx',
  tls: true,
  checks: ['HTTP', 'token', 'stream', 'resume', 'headers', 'compression', 'paths', 'large push', 'caching', 'cookies', 'CORS', 'idle'],
  faults: {
    http: ['gzip on;', 'gzip_types text/event-stream;', 'gzip_proxied any;', 'gzip_min_length 0;', 'proxy_cache_path cache keys_zone=leak:1m;'],
    'the server': [
      'listen 443 ssl;', 'proxy_read_timeout 2s;', 'expires 1h;', 'proxy_intercept_errors on;', 'error_page 400 401 404 405 426 = /sorry;',
      'proxy_cache leak;', 'proxy_cache_valid any 10m;', 'proxy_ignore_headers Cache-Control Expires Vary Set-Cookie;'
    ],
    'location /sync/': ['proxy_set_header Authorization "";', 'proxy_set_header Last-Event-ID "";', 'add_header Access-Control-Allow-Origin * always;']
  },
  configure (place, lines) {
    const { folder, port, targets: [target], cert, key } = place
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${folder}/${name};`).join(' ')
    const conf = file(place, 'nginx.conf', `daemon off; pid nginx.pid; error_log stderr warn; events {}
http {
  access_log off; ${temporary}
  ${joined(lines, 'http')}
  server {
    listen unix:${folder}/inner.sock; client_max_body_size 0; proxy_http_version 1.1;
    location / { proxy_pass http://127.0.0.1:${target}; gzip off; add_header Set-Cookie "node=secret-of-the-node" always; }
  }
  server {
    ssl_certificate ${cert}; ssl_certificate_key ${key};
    ${joined(lines, 'the server').replace(' 443 ', ` 127.0.0.1:${port} `)}
    location = /sorry { internal; default_type text/html; return 404 "<h1>Sorry</h1>"; }
    location /sync/ { proxy_pass http://unix:${folder}/inner.sock; ${joined(lines, 'location /sync/')} }
    location = /health { proxy_cache off; proxy_pass http://unix:${folder}/inner.sock; }
  }
}`)
    const base = ['nginx', '-p', folder, '-c', conf, '-e', 'stderr']
    return { run: base, check: [...base, '-t', '-q'] }
  }
}

const haproxy: Faulty = {
  name: 'HAProxy',
  proxy: 'haproxy',
  program: 'haproxy',
  packageName: 'haproxy',
  tls: true,
  checks: ['HTTP', 'token', 'stream', 'resume', 'headers', 'paths', 'caching', 'cookies', 'CORS', 'idle'],
  faults: {
    defaults: ['timeout server 2s', 'timeout client 2s'],
    'the frontend': ['bind :443 ssl crt …'],
    'the backend': [
      'http-request cache-use leak', 'http-request del-header Authorization', 'http-request del-header Last-Event-ID',
      'http-response set-header Cache-Control "public, max-age=60"', 'http-response del-header Vary', 'http-response cache-store leak',
      'http-response wait-for-body time 30s', 'http-response return status 404 content-type text/html string "<h1>Sorry</h1>" if { status 404 }',
      'http-response add-header Access-Control-Allow-Origin *', 'cookie node insert indirect'
    ]
  },
  configure (place, lines) {
    const { port, targets: [target], pem } = place
    const conf = file(place, 'haproxy.cfg', `global
  maxconn 200
cache leak
  total-max-size 4
  max-age 60
defaults
  mode http
  timeout connect 5s
  ${joined(lines, 'defaults')}
frontend sync
  ${joined(lines, 'the frontend').replace(':443', `127.0.0.1:${port}`).replace('…', pem)}
  default_backend sync
backend sync
  ${joined(lines, 'the backend')}
  server one 127.0.0.1:${target}${lines['the backend']!.some(line => line.startsWith('cookie')) ? ' cookie one' : ''}
`)
    return { run: ['haproxy', '-db', '-f', conf], check: ['haproxy', '-c', '-q', '-f', conf] }
  }
}

const caddy: Faulty = {
  name: 'Caddy',
  proxy: 'caddy',
  program: 'caddy',
  packageName: 'caddy',
  tls: true,
  checks: ['token', 'stream', 'resume', 'headers', 'compression', 'paths', 'large push', 'cookies', 'CORS', 'idle'],
  faults: {
    'the site': ['encode {\n  gzip\n  minimum_length 1\n}', 'request_body {\n  max_size 1MB\n}', 'header +Access-Control-Allow-Origin *', 'header Cache-Control "public, max-age=60"'],
    reverse_proxy: ['buffer_responses', 'header_up -Authorization', 'header_up -Last-Event-ID', 'lb_policy cookie node', 'transport http {\n  read_timeout 2s\n}', '@wrong status 404\nhandle_response @wrong {\n  respond "Sorry" 404\n}']
  },
  configure (place, lines) {
    const { folder, port, targets: [target], cert, key } = place
    const conf = file(place, 'Caddyfile', `{
  admin off
  auto_https disable_redirects
}
https://127.0.0.1:${port} {
  tls ${cert} ${key}
  ${joined(lines, 'the site')}
  reverse_proxy 127.0.0.1:${target} {
    ${joined(lines, 'reverse_proxy')}
  }
}`)
    const env = { XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
    return { run: ['caddy', 'run', '--config', conf, '--adapter', 'caddyfile'], check: ['caddy', 'validate', '--config', conf, '--adapter', 'caddyfile'], env }
  }
}

const apache: Faulty = {
  name: 'Apache',
  proxy: 'apache',
  program: 'apache2',
  packageName: 'apache2',
  tls: true,
  checks: ['token', 'resume', 'headers', 'compression', 'paths', 'caching', 'cookies', 'CORS', 'idle'],
  stays: 'HTTP',
  faults: {
    server: [
      'ProxyTimeout 2', 'ProxyErrorOverride On', 'AddOutputFilterByType DEFLATE text/event-stream',
      'CacheEnable disk /', 'CacheRoot cache', 'CacheIgnoreCacheControl On', 'CacheStorePrivate On', 'CacheStoreNoStore On', 'CacheIgnoreNoLastMod On', 'CacheQuickHandler On'
    ],
    'the VirtualHost': [
      'RequestHeader unset Authorization', 'RequestHeader unset Last-Event-ID', 'Header add Set-Cookie "node=1"',
      'Header add Access-Control-Allow-Origin *', 'Header set Cache-Control "public, max-age=60"'
    ]
  },
  configure (place, lines) {
    const { folder, port, targets: [target], cert, key } = place
    mkdirSync(join(folder, 'cache'))
    chmodSync(join(folder, 'cache'), 0o777)
    const modules = ['mpm_event', 'authz_core', 'socache_shmcb', 'ssl', 'proxy', 'proxy_http', 'headers', 'setenvif', 'filter', 'deflate', 'cache', 'cache_disk', 'http2']
    const load = modules.map(name => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')
    const conf = file(place, 'apache2.conf', `ServerRoot ${folder}
ServerName localhost
PidFile ${folder}/apache2.pid
Mutex file:${folder} default
DefaultRuntimeDir ${folder}
${load}
User www-data
Group www-data
ErrorLog ${folder}/error.log
Listen 127.0.0.1:${port}
${joined(lines, 'server').replace('CacheRoot cache', `CacheRoot ${folder}/cache`)}
<VirtualHost 127.0.0.1:${port}>
  SSLEngine on
  SSLCertificateFile ${cert}
  SSLCertificateKeyFile ${key}
  ${joined(lines, 'the VirtualHost')}
  ProxyPass / http://127.0.0.1:${target}/ nocanon
</VirtualHost>`)
    return { run: ['apache2', '-f', conf, '-DFOREGROUND'], check: ['apache2', '-f', conf, '-t'] }
  }
}

const varnish: Faulty = {
  name: 'Varnish',
  proxy: 'varnish',
  program: 'varnishd',
  packageName: 'varnish',
  checks: ['token', 'stream', 'resume', 'headers', 'paths', 'caching', 'cookies', 'CORS', 'idle'],
  faults: {
    backend: ['.first_byte_timeout = 2s;', '.between_bytes_timeout = 2s;'],
    vcl_recv: ['unset req.http.Authorization;', 'unset req.http.Last-Event-ID;', 'if (req.method == "GET") { return (hash); }'],
    vcl_backend_response: [
      'set beresp.do_stream = false;', 'set beresp.do_gzip = true;', 'set beresp.http.Set-Cookie = "node=1";',
      'if (beresp.status == 404) { return (error(404)); }',
      'if (bereq.method == "GET" && !bereq.uncacheable && beresp.http.Content-Type !~ "event-stream") { unset beresp.http.Vary; set beresp.ttl = 60s; return (deliver); }'
    ],
    vcl_deliver: ['set resp.http.Access-Control-Allow-Origin = "*, *";', 'set resp.http.Cache-Control = "public, max-age=60";']
  },
  configure (place, lines) {
    const { folder, port, targets: [target] } = place
    const subs = ['vcl_recv', 'vcl_backend_response', 'vcl_deliver'].map(name => `sub ${name} {\n${joined(lines, name)}\n}`)
    const vcl = file(place, 'default.vcl', `vcl 4.1;\nbackend default { .host = "127.0.0.1"; .port = "${target}";\n${joined(lines, 'backend')}\n}\n${subs.join('\n')}\n`)
    const jail = ['-j', process.getuid?.() === 0 ? 'unix' : 'none']
    return {
      run: ['varnishd', '-F', ...jail, '-n', join(folder, 'varnish'), '-a', `127.0.0.1:${port}`, '-f', vcl, '-s', 'malloc,64m'],
      check: ['varnishd', ...jail, '-n', join(folder, 'varnish-check'), '-C', '-f', vcl]
    }
  }
}

export const faulty: readonly Faulty[] = [nginx, haproxy, caddy, apache, varnish]
