/** What many want of a server at the same time goes to it together: else each push would pay for round trips of its own. */
import { SyncError } from '../errors.ts'

interface Waiting<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

export interface TogetherOptions<Item> {
  /** Of what goes together, so that nobody waits long behind others; an item that is more by itself goes alone. Default: none. */
  readonly bounds?: ReadonlyArray<{ readonly of: (item: Item) => number, readonly most: number }>
  /** Groups that are under way at once. Default 2: while one is answered the next is on its way. */
  readonly underWay?: number
}

export class Together<Item, Result> {
  readonly #send: (items: readonly Item[]) => Promise<readonly Result[]>
  readonly #bounds: NonNullable<TogetherOptions<Item>['bounds']>
  readonly #underWay: number
  #waiting: Array<Waiting<Item, Result>> = []
  #scheduled = false
  #running = 0
  #idle: Array<() => void> = []

  /** @param send resolves to as many results, in the same order */
  constructor (send: (items: readonly Item[]) => Promise<readonly Result[]>, { bounds = [], underWay = 2 }: TogetherOptions<Item> = {}) {
    this.#send = send
    this.#bounds = bounds
    this.#underWay = underWay
  }

  /** What has been sent takes no more: a result is never older than its item. */
  add (item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })
      this.#schedule()
    })
  }

  /** When all so far are answered. */
  drained (): Promise<void> {
    if (this.#running === 0 && this.#waiting.length === 0) return Promise.resolve()
    return new Promise(resolve => { this.#idle.push(resolve) })
  }

  #schedule (): void {
    if (this.#scheduled || this.#running >= this.#underWay) return
    this.#scheduled = true
    // What comes in the same turn goes together.
    setImmediate(() => {
      this.#scheduled = false
      this.#begin(this.#take())
    })
  }

  #take (): Array<Waiting<Item, Result>> {
    const sums = this.#bounds.map(() => 0)
    const end = this.#waiting.findIndex(({ item }, index) => {
      for (const [i, { of }] of this.#bounds.entries()) sums[i]! += of(item)
      return index > 0 && this.#bounds.some(({ most }, i) => sums[i]! > most)
    })
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : end)
  }

  #begin (group: ReadonlyArray<Waiting<Item, Result>>): void {
    this.#running++
    if (this.#waiting.length > 0) this.#schedule()
    const done = (): void => {
      this.#running--
      if (this.#waiting.length > 0) this.#schedule()
      else if (this.#running === 0) for (const told of this.#idle.splice(0)) told()
    }
    this.#settle(group).then(done, done)
  }

  async #settle (group: ReadonlyArray<Waiting<Item, Result>>): Promise<void> {
    try {
      const results = await this.#send(group.map(({ item }) => item))
      group.forEach(({ resolve }, index) => resolve(results[index]!))
    } catch (error) {
      // What cannot be sent for reasons of its own must not take the others with it.
      if (group.length > 1 && !(error instanceof SyncError)) for (const one of group) await this.#settle([one])
      else for (const { reject } of group) reject(error)
    }
  }
}

/** Of a question that is the same whoever asks it. */
export function asOne<Answer> (ask: () => Promise<Answer>): Together<null, Answer> {
  return new Together<null, Answer>(async askers => {
    const answer = await ask()
    return askers.map(() => answer)
  })
}

/** Of lists, of which each item is answered by itself. @param most items that are asked about at once: of heads, what takes a few ms */
export function asOneList<Item, Answer> (ask: (items: readonly Item[]) => Promise<readonly Answer[]>, most = 1000): Together<readonly Item[], Answer[]> {
  return new Together(async lists => {
    const answers = await ask(lists.flat())
    let end = 0
    return lists.map(({ length }) => {
      end += length
      return answers.slice(end - length, end)
    })
  }, { bounds: [{ of: list => list.length, most }] })
}
