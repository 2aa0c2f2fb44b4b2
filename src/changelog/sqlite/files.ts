/** The files beside the database: the mark that a log is expected here, and the ballast against a full disk. */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, realpathSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'

/** The one name of a file, however it was reached: two names would be two locks. */
export function canonicalPath (path: string): string {
  const absolute = resolve(path)
  if (existsSync(absolute)) return realpathSync(absolute)
  mkdirSync(dirname(absolute), { recursive: true })
  return join(realpathSync(dirname(absolute)), basename(absolute))
}

/** An empty file opens as a valid empty log: the mark tells a lost log from a new one. */
export function markOf (path: string): string {
  return `${path}.mark`
}

export function writeMark (path: string): void {
  const mark = markOf(path)
  if (existsSync(mark)) return
  writeDurably(mark, Buffer.from(`${basename(path)} holds a change log. While this file is here, the server refuses to begin an empty one in its place.\n`))
}

function ballastOf (path: string): string {
  return `${path}.ballast`
}

/** Room kept for a start on a full disk, which needs some for the WAL. Best effort. */
export function loadBallast (path: string, bytes: number): void {
  const ballast = ballastOf(path)
  try {
    if (bytes === 0 || existsSync(ballast) || freeBytes(path) < 4 * bytes) return
    writeDurably(ballast, Buffer.alloc(bytes, 1))
  } catch {
    rmSync(ballast, { force: true })
  }
}

/** @returns whether there was any */
export function dropBallast (path: string): boolean {
  const ballast = ballastOf(path)
  if (!existsSync(ballast)) return false
  rmSync(ballast, { force: true })
  return true
}

/** Infinity where the system does not say. */
export function freeBytes (path: string): number {
  try {
    const { bavail, bsize } = statfsSync(dirname(path))
    return bavail * bsize
  } catch {
    return Infinity
  }
}

export function fileBytes (path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

function writeDurably (path: string, content: Buffer): void {
  const file = openSync(path, 'w')
  try {
    writeFileSync(file, content)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  syncFolder(path)
}

/** Makes the names in a file's folder survive a power cut. */
export function syncFolder (path: string): void {
  const folder = openSync(dirname(path), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** Not for a file that SQLite has open in this process: to close it here would drop its locks. */
export function syncFileAt (path: string): void {
  const file = openSync(path, 'r+')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
