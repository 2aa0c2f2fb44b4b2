/** Group commit: pushes that wait together go in one script, each apart from the others. */
import type { RedisArgument } from '../../drivers/redis.ts'
import type { Committed, EntryFacts, NewEntry, Push } from '../changelog.ts'
import { decodeFacts, encode, nameOf } from './entries.ts'
import { COMMIT } from './lua/commit.ts'
import type { Session } from './session.ts'
import { Together, type TogetherOptions } from '../together.ts'

/** A push that waits; with `append` also the id and sequence that its one entry must take. */
export interface Job {
  readonly push: Push
  readonly id?: string | null
  readonly sequence?: number
}

export type Result = Committed | { readonly status: 'late', readonly head: number } | { readonly status: 'taken' }

interface Encoded {
  readonly args: readonly RedisArgument[]
  readonly bytes: number
}

interface Waiting extends Encoded {
  readonly push: Push
}

/** One script takes a few ms. */
const GROUP: TogetherOptions<Waiting> = {
  bounds: [
    { of: ({ push }) => push.entries.length, most: 250 },
    { of: ({ bytes }) => bytes, most: 2 ** 20 }
  ]
}

/** What a row of the journal takes beside its text, roughly. */
const ROW_BYTES = 200

export interface CommitParts {
  readonly session: Session
  readonly pushRetention: number
  readonly journalBytes: number
  /** By what this node has filed the log; '' for nothing. */
  readonly filedBy: () => string
  /** What the head's own identity is named, where it was asked for lately. */
  readonly replaced: (head: EntryFacts) => Buffer | undefined
}

export class Commits {
  readonly #parts: CommitParts
  readonly #together: Together<Waiting, Result>

  constructor (parts: CommitParts) {
    this.#parts = parts
    this.#together = new Together(group => this.#commit(group), GROUP)
  }

  add (job: Job): Promise<Result> {
    return this.#together.add({ push: job.push, ...this.#encode(job) })
  }

  async #commit (group: readonly Waiting[]): Promise<Result[]> {
    const { session, pushRetention, journalBytes, filedBy } = this.#parts
    const bounds = [group.length, group.at(-1)!.push.serverTimestamp - pushRetention, journalBytes].map(asText)
    const { values } = await session.ask(COMMIT, [filedBy(), ...bounds, ...group.flatMap(({ args }) => args)])
    return values.map(resultOf)
  }

  #encode ({ push, id = null, sequence = 0 }: Job): Encoded {
    const journal = push.journal.flatMap(row => {
      const { messageId, serverTimestamp, userId, clientId, address } = push
      const facts = JSON.stringify([row.collection, row.documentId, row.status, row.code, messageId, serverTimestamp, userId, clientId, address])
      return [facts, row.raw, weightOf(row.raw)]
    })
    const entries = push.entries.flatMap(entry => this.#encodeEntry(push, entry, id))
    const args = [push.key, push.fingerprint, push.outcome, push.serverTimestamp, sequence, id ?? '', push.journal.length, ...journal, push.entries.length, ...entries]
    return { args, bytes: args.reduce<number>((sum, arg) => sum + (typeof arg === 'number' ? 8 : arg.length), 0) }
  }

  #encodeEntry (push: Push, entry: NewEntry, id: string | null): RedisArgument[] {
    const name = nameOf(entry)
    const { replaces, channels } = entry
    const known = replaces == null || replaces.sequence !== entry.expected ? undefined : this.#parts.replaced(replaces)
    return [name, entry.expected, encode(push, entry, { name, id }), known ?? '', packed(channels)]
  }
}

const PACKED = Buffer.of(0)

/**
 * A byte, then length and name of each: one argument, since their number in a command has a bound. '' for not filed.
 */
function packed (channels: readonly string[] | undefined): Buffer | string {
  if (channels === undefined) return ''
  const parts = channels.flatMap(channel => {
    const name = Buffer.from(channel)
    const length = Buffer.allocUnsafe(4)
    length.writeUInt32LE(name.length)
    return [length, name]
  })
  return Buffer.concat([PACKED, ...parts])
}

/** What a row of the journal counts against its bound. */
export function weightOf (raw: string): number {
  return Buffer.byteLength(raw) + ROW_BYTES
}

/** Numbers without an exponent; Infinity is what Lua reads as such. */
function asText (number: number): string {
  return Number.isFinite(number) ? BigInt(Math.round(number)).toString() : number > 0 ? 'inf' : '-inf'
}

function resultOf ([status, ...rest]: Buffer[]): Result {
  const word = String(status)
  if (word === 'committed') return { status: word, first: Number(rest[0]) }
  if (word === 'seen') return { status: word, first: Number(rest[0]), outcome: rest[1]!.toString() }
  if (word === 'reused' || word === 'taken') return { status: word }
  if (word === 'late') return { status: word, head: Number(rest[0]) }
  const heads: EntryFacts[] = []
  for (let i = 0; i < rest.length; i += 2) heads.push(decodeFacts(Number(rest[i]), rest[i + 1]!))
  return { status: 'moved', heads }
}
