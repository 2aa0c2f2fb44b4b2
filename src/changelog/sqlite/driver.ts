/**
 * Which build of better-sqlite3 this Node can load: 12 runs on Node 20 and aborts on 24, 13 needs
 * Node-API 10 (Node 22.14 and later) and crashes below it. Loaded on first use, so that whoever keeps
 * the log elsewhere needs neither.
 *
 * Both builds have STAT4, with which a bare `LIMIT ?` makes SQLite plan the statement anew at every run (20 µs for
 * a page instead of 0.5): write `LIMIT 0 + ?`.
 */
import { createRequire } from 'node:module'
import type BetterSqlite from 'better-sqlite3'

export type Database = BetterSqlite.Database
export type Statement = BetterSqlite.Statement<unknown[]>
export type DatabaseOptions = BetterSqlite.Options

const NODE_API_OF_13 = 10

/** Who holds a file, for the words of an error. */
export const processId = process.pid

/** @param source path, or the content of a file @throws Error when the package is not installed, saying how to install it */
export function openDatabase (source: string | Buffer, options: DatabaseOptions): Database {
  const modern = Number(process.versions['napi']) >= NODE_API_OF_13
  const name = modern ? 'better-sqlite3-napi10' : 'better-sqlite3'
  let Driver: new (source: string | Buffer, options: DatabaseOptions) => Database
  try {
    Driver = createRequire(import.meta.url)(name)
  } catch (cause) {
    throw new Error(`the package ${name} cannot be loaded: run "npm install --include=optional" with the Node that runs the server`, { cause })
  }
  return new Driver(source, options)
}
