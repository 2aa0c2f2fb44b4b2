/**
 * How a log lies in Redis: a fixed set of keys, all in one slot of a cluster.
 *
 * Entries lie in a hash: in a stream, which takes fewer bytes as long as nothing is dropped, a version that compaction
 * dropped would hold its memory until all its neighbours are gone too.
 */
import type { RedisScript } from '../../drivers/redis.ts'

export const NAMES = [
  /** Hash: what is true of the log as a whole. */
  'meta',
  /** List: `<id> <first> <started>`, oldest first. */
  'epochs',
  /** Hash: sequence → entry. */
  'log',
  /** Sorted set: document → sequence of its head. */
  'heads',
  /** Sorted set of (number of a collection, sequence of a head), in order of its bytes. */
  'of',
  /** Sorted set: sequences of entries that are not heads any more. */
  'kept',
  /** Hash: name of a collection → its number. */
  'collections',
  /** Hash: identity of a replaced entry → first sequence and time; a head's own lies in its entry. */
  'identities',
  /** Hash: key of a push → its record. */
  'pushes',
  /** List: time and key of each record, in order of arrival. */
  'ages',
  /** Stream: losers and refused changes by their ids. */
  'journal',
  /** Hash: name of a channel → its number. */
  'channels',
  /** Sorted set of (number of a channel, position, member, document), in order of its bytes. */
  'places',
  /** Hash: document → its channel rows. */
  'filed',
  /** Hash: an id that a caller of `append` chose → sequence. */
  'given',
  /** Sorted set: document → sequence of its deletion; some are not heads any more. */
  'tombstones',
  /** Who compacts; goes by itself. */
  'compacting',
  /** Who files all documents anew; goes by itself. */
  'filer'
] as const

export type KeyName = typeof NAMES[number]

/** All keys of one log. @param tenant '' for the log of no tenant */
export function keysOf (prefix: string, tenant: string): Readonly<Record<KeyName, string>> {
  const tag = tenant === '' ? prefix : `${prefix}:${tenant}`
  return Object.fromEntries(NAMES.map(name => [name, `{${tag}}:${name}`])) as Record<KeyName, string>
}

/** What Redis looks at before it begins: `no-writes` runs also where memory or disk is full, `allow-oom` where memory is. */
type Flag = 'no-writes' | 'allow-oom'

/** A script and the keys that it touches, which it knows by their names. */
export interface Script extends RedisScript {
  readonly keys: readonly KeyName[]
  readonly writes: boolean
}

function script (keys: readonly KeyName[], body: readonly string[], flag?: Flag): Script {
  const bound = keys.map((name, index) => `local ${name} = KEYS[${index + 1}]`)
  return { keys, writes: flag === undefined, text: [`#!lua${flag === undefined ? '' : ` flags=${flag}`}`, ...bound, ...body].join('\n') }
}

/** Refused as a whole where Redis takes no writes. */
export function writing (keys: readonly KeyName[], ...body: readonly string[]): Script {
  return script(keys, body)
}

export function reading (keys: readonly KeyName[], ...body: readonly string[]): Script {
  return script(keys, body, 'no-writes')
}

/** What makes room may be done where there is none. */
export function dropping (keys: readonly KeyName[], ...body: readonly string[]): Script {
  return script(keys, body, 'allow-oom')
}
