/** Caches before the server, configured as the README says. */
import { accessSync, constants, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { placed, type Place } from '../../test/support/proxies/configuration.ts'
import { kinds } from '../../test/support/proxies/kinds.ts'
import type { Command, Kind } from '../../test/support/proxies/program.ts'

/** The README's nginx with a cache, without its TLS. */
function nginx (place: Place): Command {
  const { folder, port } = place
  const block = placed('# nginx with a cache: /etc/nginx/conf.d/sync.conf', place, { 'listen 443 ssl http2;': `listen 127.0.0.1:${port};` }).replace(/^ *ssl_.*$/gm, '')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${folder}/${name};`).join(' ')
  const conf = join(folder, 'nginx.conf')
  writeFileSync(conf, `daemon off; pid ${folder}/nginx.pid; error_log stderr crit; events { worker_connections 768; } http { access_log off; ${temporary}\n${block}\n}`)
  return { run: ['nginx', '-p', folder, '-c', conf, '-e', 'stderr'] }
}

const { varnish } = kinds
const all: readonly Kind[] = [varnish, { name: 'nginx', program: 'nginx', packageName: 'nginx', prepare: nginx }]

const isThere = ({ program }: Kind): boolean => ['/usr/sbin', '/usr/local/sbin', '/usr/bin', '/usr/local/bin'].some(folder => {
  try {
    accessSync(join(folder, program), constants.X_OK)
    return true
  } catch {
    return false
  }
})

/** Those that this machine has; the others are named. */
export function caches (): Kind[] {
  for (const { name, packageName } of all.filter(kind => !isThere(kind))) process.stderr.write(`  without ${name}: apt-get install ${packageName}\n`)
  return all.filter(isThere)
}
