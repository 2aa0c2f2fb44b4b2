/** One connection of the pool while somebody uses it. */
import type { PostgresClient } from '../../drivers/postgres.ts'
import { types, type Statement, type Tuple } from './statement.ts'

interface Answer {
  readonly command: string
  readonly rows: Tuple[]
}

export class Connection {
  /** Which cluster answers: another one has another history. */
  readonly system: string
  readonly #client: PostgresClient
  readonly #timeout: number
  readonly #failed: (error: unknown) => unknown

  /**
   * @param failed says what is thrown for an error of the server
   * @param timeout after which it is not waited for any more, ms: a server that is held does not say so
   */
  constructor (client: PostgresClient, { system, timeout, failed }: { system: string, timeout: number, failed: (error: unknown) => unknown }) {
    this.system = system
    this.#client = client
    this.#timeout = timeout
    this.#failed = failed
  }

  async run (statement: Statement, values: readonly unknown[] = []): Promise<Tuple[]> {
    return (await this.#ask({ ...statement, values })).rows
  }

  /** Several statements in one round trip where the connection can do that. Ends at the first that fails. */
  async together (...questions: ReadonlyArray<readonly [Statement, readonly unknown[]]>): Promise<Tuple[][]> {
    const answers: Tuple[][] = []
    if (!this.#pipelined) {
      for (const [statement, values] of questions) answers.push(await this.run(statement, values))
      return answers
    }
    const all = await Promise.allSettled(questions.map(([statement, values]) => this.run(statement, values)))
    for (const one of all) {
      if (one.status === 'rejected') throw one.reason
      answers.push(one.value)
    }
    return answers
  }

  /** Statements without values, as one text. @returns the rows of the last one */
  async script (text: string): Promise<Tuple[]> {
    const answers = await this.#ask({ text }) as Answer | Answer[]
    return (Array.isArray(answers) ? answers.at(-1)! : answers).rows
  }

  /** The last statement of a transaction and its end. @throws what the server says when it did not end well */
  async finish (statement: Statement, values: readonly unknown[]): Promise<void> {
    if (!this.#pipelined) {
      await this.run(statement, values)
      return await this.commit()
    }
    const [last, end] = await Promise.allSettled([this.run(statement, values), this.#ask({ text: 'COMMIT' })])
    for (const one of [last, end]) if (one.status === 'rejected') throw one.reason
    if (end.status === 'fulfilled') this.#assertCommitted(end.value)
  }

  async commit (): Promise<void> {
    this.#assertCommitted(await this.#ask({ text: 'COMMIT' }))
  }

  #assertCommitted ({ command }: Answer): void {
    if (command !== 'COMMIT') throw this.#failed(new Error(`COMMIT was answered by ${command}`))
  }

  get #pipelined (): boolean {
    return (this.#client as { pipeline?: boolean }).pipeline === true
  }

  async #ask (question: object): Promise<Answer> {
    try {
      return await this.#client.query({ ...question, rowMode: 'array', types, query_timeout: this.#timeout }) as unknown as Answer
    } catch (error) {
      throw this.#failed(error)
    }
  }
}
