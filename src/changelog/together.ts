/** Questions of many who ask a server at the same time, put as one: else each push would pay for round trips of its own. */
import { SyncError } from '../errors.ts'

interface Waiting<Question, Answer> {
  readonly question: Question
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

/** While one is answered the next is on its way, and what is small need not wait for what is large. */
const UNDER_WAY = 2

export interface TogetherOptions<Question> {
  /** What a question counts; default 1. */
  readonly size?: (question: Question) => number
  /** All that are put as one count at most this much; one that counts more is put alone. Default: no bound. */
  readonly most?: number
}

export class Together<Question, Answer> {
  readonly #ask: (questions: readonly Question[]) => Promise<readonly Answer[]>
  readonly #size: (question: Question) => number
  readonly #most: number
  #waiting: Array<Waiting<Question, Answer>> = []
  #scheduled = false
  #running = 0

  /** @param ask resolves to as many answers, in the same order */
  constructor (ask: (questions: readonly Question[]) => Promise<readonly Answer[]>, { size = () => 1, most = Infinity }: TogetherOptions<Question> = {}) {
    this.#ask = ask
    this.#size = size
    this.#most = most
  }

  /** The answer is never older than the question: what was sent before takes it no more. */
  ask (question: Question): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ question, resolve, reject })
      this.#schedule()
    })
  }

  #schedule (): void {
    if (this.#scheduled || this.#running >= UNDER_WAY) return
    this.#scheduled = true
    // What comes in the same turn goes together.
    setImmediate(() => {
      this.#scheduled = false
      this.#send(this.#take())
    })
  }

  #take (): Array<Waiting<Question, Answer>> {
    let sum = 0
    const end = this.#waiting.findIndex(({ question }, index) => (sum += this.#size(question)) > this.#most && index > 0)
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : end)
  }

  #send (group: ReadonlyArray<Waiting<Question, Answer>>): void {
    this.#running++
    if (this.#waiting.length > 0) this.#schedule()
    const done = (): void => {
      this.#running--
      if (this.#waiting.length > 0) this.#schedule()
    }
    this.#settle(group).then(done, done)
  }

  async #settle (group: ReadonlyArray<Waiting<Question, Answer>>): Promise<void> {
    try {
      const answers = await this.#ask(group.map(({ question }) => question))
      group.forEach(({ resolve }, index) => resolve(answers[index]!))
    } catch (error) {
      // What cannot be asked for reasons of its own must not take the others with it.
      if (group.length > 1 && !(error instanceof SyncError)) for (const one of group) await this.#settle([one])
      else for (const { reject } of group) reject(error)
    }
  }
}

/** Of a question that is the same whoever asks it. */
export function asOne<Answer> (ask: () => Promise<Answer>): Together<null, Answer> {
  return new Together<null, Answer>(async questions => {
    const answer = await ask()
    return questions.map(() => answer)
  })
}

/** Of lists, of which each item is answered by itself. @param most items that are asked about at once, beside those of one list alone */
export function asOneList<Item, Answer> (ask: (items: readonly Item[]) => Promise<readonly Answer[]>, most: number): Together<readonly Item[], Answer[]> {
  return new Together(async lists => {
    const answers = await ask(lists.flat())
    let end = 0
    return lists.map(({ length }) => {
      end += length
      return answers.slice(end - length, end)
    })
  }, { size: list => list.length, most })
}
