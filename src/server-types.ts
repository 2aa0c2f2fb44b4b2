/** What a `PocketServer` answers its application. */
import type { IncomingMessage, ServerResponse } from 'node:http'

export interface ServerHealth {
  /** Writes can be made durable, and the server is not shutting down. */
  readonly healthy: boolean
  /** Open streams. */
  readonly clientCount: number
  /** Changes received, not yet committed. */
  readonly pendingChanges: number
  /** When a push or pull was last answered, ms since 1970; null before the first. */
  readonly lastSyncTime: number | null
  /** What is wrong and what the operator does; null when nothing is. */
  readonly detail: string | null
}

/** Whose log it is about: to be said where the server has tenants, and only there. */
export interface InTenant {
  readonly tenant?: string
}

/** Express middleware, and whatever else calls `(request, response, next)`. */
export type Middleware = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void
