/** PORT: one client library of Redis, as little of it as `Redis` is made of. */

export type RedisArgument = string | number | Uint8Array

/** A connection that listens on one channel, until it is cut. */
export interface Listener {
  /** Aborted when the connection is over, whoever ended it. */
  readonly over: AbortSignal
  /** Whether the server is still there. */
  ping (): Promise<unknown>
  end (): void
}

export interface Link {
  /** The last thing that went wrong with the connection; null while it works. */
  readonly trouble: string | null
  send (args: readonly RedisArgument[], binary: boolean): Promise<unknown>
  /** Makes one attempt. Resolves once the channel is listened on. */
  listen (channel: string, heard: (message: string) => void): Promise<Listener>
  /** The application's own client stays open. */
  close (): void
}

/** Both libraries know strings and Buffers alone. */
export function asSent (argument: RedisArgument): string | Buffer {
  if (typeof argument === 'string') return argument
  if (typeof argument === 'number') return String(argument)
  return Buffer.isBuffer(argument) ? argument : Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength)
}
