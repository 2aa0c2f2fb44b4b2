/** A push of any size, as messages that servers and the proxies before them take. */
import { timeOrderedId, type Link } from './link.ts'
import { SyncProblem } from './problem.ts'
import type { CallOptions, Checkpoint, PushInput, PushResponse } from './types.ts'

/** A run of the push's changes: one message. */
interface Part {
  readonly from: number
  readonly to: number
}

interface Prepared {
  readonly input: PushInput
  readonly id: string
  /** Each change as JSON: what was meant when `push` was called, and the same bytes in every attempt. */
  readonly changes: readonly string[]
  readonly bytes: readonly number[]
}

interface PushOptions extends CallOptions {
  readonly retries?: number
  readonly again?: boolean
  readonly keep?: ((collection: string, changes: readonly string[], results: PushResponse['results']) => Promise<void>) | undefined
}

const encoder = new TextEncoder()

export class Pusher {
  readonly #link: Link
  readonly #clientId: string
  /** nginx takes a body of 1 MiB unless it is told otherwise. Lowered when something on the way takes less. */
  #bytes = 900_000
  /** The server's default; lowered when it says that it takes less. */
  #changes = 10_000

  constructor (link: Link, clientId: string) {
    this.#link = link
    this.#clientId = clientId
  }

  /**
   * @param again changes that were sent before: a base of then means nothing any more
   * @param keep told what was answered, with the changes as they were sent
   */
  async push (input: PushInput, { signal, retries, again = false, keep }: PushOptions): Promise<PushResponse> {
    const message = prepare(input, again)
    const whole = { from: 0, to: message.changes.length }
    const waiting = input.atomic === true ? [whole] : this.#split(message, whole)
    const answers = new Answers(input)
    const call = { id: message.id, signal, ...retries === undefined ? {} : { retries } }
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      try {
        answers.add(part, await this.#link.push(this.#text(message, part, answers), call))
      } catch (error) {
        if (!(error instanceof SyncProblem) || error.status !== 413 || input.atomic === true) throw error
        if (part.to - part.from > 1) waiting.unshift(...this.#smaller(message, part, error))
        // It would dam up the changes behind it for ever (promise 7).
        else answers.refuse(part, message, error)
      }
    }
    const answer = answers.response(message.id)
    await keep?.(input.collection, message.changes, answer.results)
    return answer
  }

  #split ({ bytes }: Prepared, { from, to }: Part): Part[] {
    const parts: Part[] = []
    let start = from
    let size = 0
    for (let i = from; i < to; i++) {
      if (i > start && (size + bytes[i]! > this.#bytes || i - start >= this.#changes)) {
        parts.push({ from: start, to: i })
        start = i
        size = 0
      }
      size += bytes[i]!
    }
    return [...parts, { from: start, to }]
  }

  /** Halves, or as many as the limit asks for that the answer names. */
  #smaller (message: Prepared, { from, to }: Part, { problem }: SyncProblem): Part[] {
    const most = problem?.limit?.name === 'changesPerPush' ? problem.limit.max : undefined
    if (most !== undefined && most >= 1 && most < to - from) this.#changes = most
    else this.#bytes = Math.ceil(sum(message.bytes, from, to) / 2)
    const parts = this.#split(message, { from, to })
    const middle = from + Math.ceil((to - from) / 2)
    return parts.length > 1 ? parts : [{ from, to: middle }, { from: middle, to }]
  }

  /** Each part has an id that its changes follow from, so that a push which is repeated later repeats its parts. */
  #text ({ input, id, changes }: Prepared, { from, to }: Part, { checkpoint, epoch }: Answers): string {
    const whole = from === 0 && to === changes.length
    const envelope = JSON.stringify({
      type: 'push',
      id: whole ? id : `${id}.${from}-${to}`,
      timestamp: Date.now(),
      collection: input.collection,
      checkpoint,
      epoch,
      clientId: this.#clientId,
      atomic: input.atomic
    })
    return `${envelope.slice(0, -1)},"changes":[${changes.slice(from, to).join(',')}]}`
  }
}

function prepare (input: PushInput, again: boolean): Prepared {
  const { id = timeOrderedId() } = input
  if (id.length < 1 || id.length > 100) throw new TypeError('the id of a push has 1 to 100 characters')
  if (input.id !== undefined && input.changes.some(({ timestamp }) => timestamp === undefined)) {
    throw new TypeError('under an id of your own each change has its timestamp: sent again, it must be the same change')
  }
  const now = Date.now()
  const changes = input.changes.map(change => {
    const { timestamp = now, base = change.operation === 'insert' && !again ? 0 : undefined } = change
    return JSON.stringify({ ...change, timestamp, base })
  })
  return { input, id, changes, bytes: changes.map(text => encoder.encode(text).length + 1) }
}

function sum (numbers: readonly number[], from: number, to: number): number {
  return numbers.slice(from, to).reduce((total, number) => total + number, 0)
}

/** What became of the parts so far, as one answer. */
class Answers {
  checkpoint: Checkpoint | undefined
  epoch: string | undefined
  readonly #results: PushResponse['results'] = []
  readonly #conflicts: NonNullable<PushResponse['conflicts']> = []
  #success = true
  #last: PushResponse | undefined
  #refusal: SyncProblem | undefined

  constructor ({ checkpoint, epoch }: PushInput) {
    this.checkpoint = checkpoint
    this.epoch = epoch
  }

  add ({ from }: Part, answer: PushResponse): void {
    this.#results.push(...answer.results.map(result => ({ ...result, index: from + result.index })))
    this.#conflicts.push(...answer.conflicts ?? [])
    this.#success &&= answer.success
    this.#last = answer
    if ((answer.checkpoint.global ?? 0) < (this.checkpoint?.global ?? 0)) return
    this.checkpoint = answer.checkpoint
    this.epoch = answer.epoch
  }

  refuse ({ from }: Part, { input }: Prepared, refusal: SyncProblem): void {
    const { documentId } = input.changes[from]!
    this.#results.push({ index: from, documentId, status: 'rejected', error: { code: 'too_large', detail: refusal.message } })
    this.#success = false
    this.#refusal = refusal
  }

  response (id: string): PushResponse {
    const { checkpoint, epoch } = this
    if (this.#last === undefined && this.#refusal !== undefined) throw this.#refusal
    const conflicts = this.#conflicts.length === 0 ? {} : { conflicts: this.#conflicts }
    return { ...this.#last!, id, success: this.#success, checkpoint: checkpoint!, epoch: epoch!, results: this.#results, ...conflicts }
  }
}
