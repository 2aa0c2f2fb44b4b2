/** nginx with nchan, the fastest stream server we know: Debian's nginx and libnginx-mod-nchan. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../test/support/free-port.ts'
import type { Target } from './processes.ts'

const NGINX = '/usr/sbin/nginx'
const MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so'

export const hasNchan = (): boolean => existsSync(NGINX) && existsSync(MODULE)

function configuration (folder: string, port: number): string {
  return `load_module ${MODULE};
user root;
daemon off;
worker_processes 1;
worker_rlimit_nofile 19000;
pid ${folder}/nginx.pid;
error_log ${folder}/nginx.log crit;
events { worker_connections 18000; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path ${folder}/nginx-body;
  nchan_max_reserved_memory 256M;
  server {
    listen 127.0.0.1:${port} backlog=8192;
    location /publish { nchan_publisher; nchan_channel_id one; nchan_message_buffer_length 100; nchan_message_timeout 10s; }
    location /listen { nchan_subscriber eventsource; nchan_channel_id one; nchan_subscriber_first_message newest; }
  }
}
`
}

export async function startNchan (folder: string): Promise<Target> {
  const port = await freePort()
  const file = join(folder, 'nginx.conf')
  writeFileSync(file, configuration(folder, port))
  const master = spawn(NGINX, ['-c', file, '-p', folder], { stdio: ['ignore', 'ignore', 'inherit'] })
  const exit = once(master, 'exit')
  for (let tries = 0; tries < 100; tries++) {
    await sleep(50)
    const [worker] = readFileSync(`/proc/${master.pid}/task/${master.pid}/children`, 'utf8').trim().split(' ')
    if (worker === undefined || worker === '') continue
    const stop = async (): Promise<void> => {
      master.kill('SIGTERM')
      await exit
    }
    return { port, pid: Number(worker), stop }
  }
  throw new Error('nginx did not start')
}
