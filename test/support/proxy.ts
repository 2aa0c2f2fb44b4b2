/** A TCP proxy that misbehaves: cuts connections, stalls them, halves chunks, holds answers back. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface ProxyOptions {
  /** Port on 127.0.0.1; may be changed while it runs, for connections made from then on. */
  readonly target: number
  /** Sends what it received in two halves, so that readers meet every boundary. Default true. */
  readonly halves?: boolean
}

export interface Proxy {
  readonly port: number
  target: number
  /** Resets every connection. */
  cut (): void
  /** Ends the connection after this many more bytes of answers; once. */
  cutAfter (bytes: number): void
  /** Passes nothing on until `resume`. */
  stall (): void
  resume (): void
  close (): Promise<void>
}

export async function startProxy ({ target, halves = true }: ProxyOptions): Promise<Proxy> {
  const pairs = new Set<[Socket, Socket]>()
  let stalled = false
  let remaining = Infinity
  const server = createServer(client => {
    const upstream = connect(proxy.target, '127.0.0.1')
    const pair: [Socket, Socket] = [client, upstream]
    pairs.add(pair)
    const end = (): void => {
      pairs.delete(pair)
      for (const socket of pair) socket.destroy()
    }
    for (const [from, to] of [[client, upstream], [upstream, client]] as const) {
      from.setNoDelay(true)
      if (stalled) from.pause()
      from.on('data', (bytes: Buffer) => pass(from, to, from === upstream ? limit(bytes, end) : bytes))
      // A half-closed connection stays one: what was written before the end must arrive.
      from.on('end', () => to.end())
      from.on('error', end)
      from.on('close', end)
    }
  })
  const pass = (from: Socket, to: Socket, bytes: Buffer): void => {
    if (to.destroyed) return
    const middle = halves ? bytes.length >> 1 : 0
    if (middle > 0) to.write(bytes.subarray(0, middle))
    if (!to.write(bytes.subarray(middle))) {
      from.pause()
      to.once('drain', () => { if (!stalled) from.resume() })
    }
  }
  const limit = (bytes: Buffer, end: () => void): Buffer => {
    const some = bytes.subarray(0, Math.max(0, remaining))
    remaining -= some.length
    if (remaining <= 0) {
      remaining = Infinity
      setImmediate(end)
    }
    return some
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const all = (act: (socket: Socket) => void): void => { for (const pair of [...pairs]) for (const socket of pair) act(socket) }
  const proxy: Proxy = {
    port: (server.address() as AddressInfo).port,
    target,
    cut () { all(socket => socket.resetAndDestroy()) },
    cutAfter (bytes) { remaining = bytes },
    stall () {
      stalled = true
      all(socket => socket.pause())
    },
    resume () {
      stalled = false
      all(socket => socket.resume())
    },
    async close () {
      all(socket => socket.destroy())
      server.close()
      await once(server, 'close')
    }
  }
  return proxy
}
