/** What `@pocket/server` exports; nothing inside imports it. */
export { PocketServer, type Listening, type Middleware, type ServerHealth } from './server.ts'
export { MemoryChangeLog } from './changelog/memory.ts'
export { SqliteChangeLog } from './changelog/sqlite.ts'
export { SyncError, catalogue, type ErrorCode } from './errors.ts'
export type { CollectionOptions, Conflict, ConflictStrategy, ResolveConflict, User } from './collections.ts'
export type { PocketServerOptions as ServerConfig, PocketServerOptions, Limits, Logger, Retention, StreamClient } from './config.ts'
export type { ChangeEntry, ChangeLog, ChangeStore, CompactPolicy } from './changelog/changelog.ts'
export type { PubSub } from './pubsub/pubsub.ts'
