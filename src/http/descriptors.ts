/** How many files and sockets this process may have open: on Linux what `ulimit -n` says. */
import { readFile } from 'node:fs/promises'
import type { Limits, Logger } from '../config.ts'

/** Kept for the log's files and for what the process opens beside sockets. */
const RESERVE = 64

/** Infinity where the system does not say. */
export async function descriptorLimit (): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '')
  return Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Infinity)
}

/** Accident: sockets that take the last descriptor, so that the log cannot open its own files. Says so where streams are what has to give way. */
export function withinDescriptors (limits: Limits, descriptors: number, logger: Pick<Logger, 'warn'>): Limits {
  const connections = Math.min(limits.connections, Math.max(1, descriptors - RESERVE))
  if (connections < Math.min(limits.connections, limits.streams)) {
    logger.warn({ descriptors, connections, streams: limits.streams }, 'this process may open fewer files and sockets than its limit of streams: connections beyond are cut off; raise it (ulimit -n, LimitNOFILE= of systemd) or lower limits.streams')
  }
  return { ...limits, connections }
}
