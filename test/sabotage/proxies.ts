import type { Sabotage } from './sabotage.ts'

const stream = 'test/proxies/stream.test.ts'
const cache = 'test/proxies/cache.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'events within a second: a stream is framed in chunks, which HAProxy sends on 200 ms late',
    file: 'src/http/sse.ts',
    find: `    response.setHeader('Connection', 'close')
    response.removeHeader('Transfer-Encoding')
  }
  response.statusCode = 200
  response.flushHeaders()`,
    replace: `  }
  response.statusCode = 200
  response.flushHeaders()
  const socket = response.socket!
  const write = socket.write.bind(socket) as (bytes: Uint8Array, ...rest: never[]) => boolean
  socket.write = (bytes: Uint8Array, ...rest: never[]) => bytes.length === 0 ? write(bytes, ...rest) : write(Buffer.concat([Buffer.from(bytes.length.toString(16) + '\\r\\n'), bytes, Buffer.from('\\r\\n')]), ...rest)`,
    test: stream,
    title: 'no event is held back by HAProxy'
  },
  {
    breaks: 'events within a second: nginx is not told not to buffer a stream',
    file: 'src/http/sse.ts',
    find: "  ['X-Accel-Buffering', 'no'],\n",
    replace: '',
    test: stream,
    title: 'no event is held back by nginx'
  },
  {
    breaks: 'promise 6 (Private): an answer to a token about public collections is called public',
    file: 'src/http/readers.ts',
    find: 'return isForEverybody(services, request) && credentials.every(name => request.headers[name] === undefined)',
    replace: 'return isForEverybody(services, { url: request.url, headers: {} } as IncomingMessage)',
    test: cache,
    title: 'promise 6 (Private): nginx that keeps what it may'
  }
]
