/**
 * A Redis server, whichever package speaks to it: ioredis or node-redis as the application made it, or ioredis for a
 * URL, loaded then and not before.
 */

export type RedisArgument = string | number | Uint8Array

/** A Lua script; it is sent whole only where the server does not have it yet. */
export interface RedisScript {
  readonly text: string
}

export interface Redis {
  /** One command. @returns texts as strings, or as Buffers where `binary` asks for it */
  command (args: readonly RedisArgument[], options?: { readonly binary?: boolean }): Promise<unknown>
  /** Runs a script; all keys must lie in one slot of a cluster. */
  run (script: RedisScript, call: { readonly keys: readonly string[], readonly args: readonly RedisArgument[], readonly binary?: boolean }): Promise<unknown>
  /**
   * Listens on a channel, by a connection of its own.
   * @param heard called for each message, and whenever the connection was made anew: messages in between are lost
   * @returns ends it
   */
  subscribe (channel: string, heard: () => void): Promise<() => Promise<void>>
  /** Ends the connections it made itself; the application's own stay. Idempotent. */
  close (): Promise<void>
}
