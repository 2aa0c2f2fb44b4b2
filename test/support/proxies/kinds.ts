/** The proxies that Debian has, with its own settings and the README's configuration. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { debian, placed, readmeBlock, type Place } from './configuration.ts'
import type { Command, Kind } from './program.ts'

function file ({ folder }: Place, name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

/** nginx.conf as Debian has it around a configuration of ours. */
function nginx (place: Place, block: string): Command {
  const { folder } = place
  const main = debian('/etc/nginx/nginx.conf', /^(pid|error_log|include)|^#|^\s*(access_log|include \/etc\/nginx\/(conf\.d|sites))/)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${folder}/${name};`).join(' ')
  const ours = file(place, 'sync.conf', block)
  const conf = file(place, 'nginx.conf', `daemon off; pid ${folder}/nginx.pid; error_log stderr warn;\n${main.replace(/^http \{$/m, `http { access_log off; ${temporary} include ${ours};`)}`)
  const base = ['nginx', '-p', folder, '-c', conf, '-e', 'stderr']
  return { run: base, check: [...base, '-t', '-q'] }
}

function nginxBlock (place: Place, title: string): string {
  return placed(title, place, { 'listen 443 ssl http2;': `listen 127.0.0.1:${place.port} ssl http2;` })
}

const NGINX = '# nginx: /etc/nginx/conf.d/sync.conf'
const BALANCER = '# nginx before four nodes: /etc/nginx/conf.d/sync.conf'
const INNER = '# nginx behind another nginx: in the inner one, which eats what tells the outer one not to buffer'

/** Two servers of one nginx, the outer before the inner: HTTP lies between them all the same. */
function twoTiers (place: Place): Command {
  const address = `127.0.0.1:${place.inner}`
  const plain = placed(NGINX, place, { 'listen 443 ssl http2;': `listen ${address};` }).replace(/^ *ssl_.*$/gm, '')
  const inner = plain.replace('location / {', `location / {\n${readmeBlock(INNER)}`)
  const outer = nginxBlock(place, NGINX).replace(/proxy_pass .*;/, `proxy_pass http://${address};`)
  return nginx(place, inner + outer)
}

function haproxy (place: Place, title: string): Command {
  const block = placed(title, place, { 'bind :443': `bind 127.0.0.1:${place.port}` })
  const conf = file(place, 'haproxy.cfg', `${debian('/etc/haproxy/haproxy.cfg', /^\s*(log|chroot|stats|user|group|daemon|option\s+httplog)\b/)}\n${block}`)
  return { run: ['haproxy', '-db', '-f', conf], check: ['haproxy', '-c', '-q', '-f', conf] }
}

function caddy (place: Place): Command {
  const block = placed('# Caddy: /etc/caddy/Caddyfile', place, { 'sync.example.com {': `https://127.0.0.1:${place.port} {\n  tls ${place.cert} ${place.key}` })
  const conf = file(place, 'Caddyfile', `{\n  admin off\n  auto_https disable_redirects\n}\n${block}`)
  const env = { XDG_DATA_HOME: place.folder, XDG_CONFIG_HOME: place.folder }
  return { run: ['caddy', 'run', '--config', conf, '--adapter', 'caddyfile'], check: ['caddy', 'validate', '--config', conf, '--adapter', 'caddyfile'], env }
}

function apache (place: Place): Command {
  const { folder, port } = place
  const block = placed('# Apache: /etc/apache2/sites-available/sync.conf, after a2enmod ssl proxy_http', place, { '*:443': `127.0.0.1:${port}` })
  const main = debian('/etc/apache2/apache2.conf', /^(Include ports\.conf|IncludeOptional sites-enabled|IncludeOptional conf-enabled|ErrorLog)/)
  const modules = ['socache_shmcb', 'ssl', 'proxy', 'proxy_http'].map(name => `Include mods-available/${name}.load`)
  const conf = file(place, 'apache2.conf', `ServerRoot /etc/apache2\nServerName localhost\nMutex file:${folder} default\n${main}\nErrorLog ${folder}/error.log\n${modules.join('\n')}\nListen 127.0.0.1:${port}\n${block}`)
  const env = { APACHE_RUN_USER: 'www-data', APACHE_RUN_GROUP: 'www-data', APACHE_PID_FILE: `${folder}/apache2.pid`, APACHE_RUN_DIR: folder, APACHE_LOCK_DIR: folder, APACHE_LOG_DIR: folder }
  return { run: ['apache2', '-f', conf, '-DFOREGROUND'], check: ['apache2', '-f', conf, '-t'], env }
}

function varnish (place: Place): Command {
  const block = placed('# Varnish: /etc/varnish/default.vcl', place, { '"3000"': `"${place.targets[0]}"` })
  const vcl = file(place, 'default.vcl', block)
  const state = join(place.folder, 'varnish')
  const jail = ['-j', process.getuid?.() === 0 ? 'unix' : 'none']
  return {
    run: ['varnishd', '-F', ...jail, '-n', state, '-a', `127.0.0.1:${place.port}`, '-f', vcl, '-s', 'malloc,64m'],
    check: ['varnishd', ...jail, '-n', `${state}-check`, '-C', '-f', vcl]
  }
}

function squid (place: Place): Command {
  const { folder, port, targets: [target] } = place
  const block = placed('# Squid as a reverse proxy: /etc/squid/conf.d/sync.conf', place, { 'http_port 80': `http_port 127.0.0.1:${port}`, 'parent 3000': `parent ${target}` })
  const main = debian('/etc/squid/squid.conf', /^\s*(#|http_port|coredump_dir|$)/)
  const own = `pid_filename ${folder}/squid.pid\naccess_log none\ncache_log ${folder}/cache.log\ncoredump_dir ${folder}\nshutdown_lifetime 0 seconds\nmax_filedescriptors 4096\npinger_enable off\nvisible_hostname localhost`
  const conf = file(place, 'squid.conf', `${own}\n${main.replace('include /etc/squid/conf.d/*.conf', () => block)}`)
  return { run: ['squid', '-N', '-f', conf], check: ['squid', '-k', 'parse', '-f', conf] }
}

export const kinds = {
  nginx: { name: 'nginx', program: 'nginx', packageName: 'nginx', tls: true, prepare: place => nginx(place, nginxBlock(place, NGINX)) },
  nginxCache: { name: 'nginx with a cache', program: 'nginx', packageName: 'nginx', tls: true, prepare: place => nginx(place, nginxBlock(place, '# nginx with a cache: /etc/nginx/conf.d/sync.conf')) },
  twoTiers: { name: 'nginx behind nginx', program: 'nginx', packageName: 'nginx', tls: true, prepare: twoTiers },
  haproxy: { name: 'HAProxy', program: 'haproxy', packageName: 'haproxy', tls: true, prepare: place => haproxy(place, '# HAProxy: at the end of /etc/haproxy/haproxy.cfg') },
  caddy: { name: 'Caddy', program: 'caddy', packageName: 'caddy', tls: true, prepare: caddy },
  apache: { name: 'Apache', program: 'apache2', packageName: 'apache2', tls: true, prepare: apache },
  varnish: { name: 'Varnish', program: 'varnishd', packageName: 'varnish', prepare: varnish },
  squid: { name: 'Squid', program: 'squid', packageName: 'squid', prepare: squid }
} satisfies Record<string, Kind>

/** Those that deal requests out to four nodes. */
export const balancers = {
  nginx: { name: 'nginx before four nodes', program: 'nginx', packageName: 'nginx', tls: true, prepare: place => nginx(place, nginxBlock(place, BALANCER)) },
  haproxy: { name: 'HAProxy before four nodes', program: 'haproxy', packageName: 'haproxy', tls: true, prepare: place => haproxy(place, '# HAProxy before four nodes: at the end of /etc/haproxy/haproxy.cfg') }
} satisfies Record<string, Kind>
