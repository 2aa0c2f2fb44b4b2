import type { Writer } from './command.ts'
import { count, cut } from './terminal.ts'

/** How often the line is drawn, ms. */
const EVERY = 100
const BAR = 24
/** Back to the first column, and clear what stood there. */
const CLEAR = '\r\u001b[K'

/** A line on a terminal that says how far it is, how fast and how long still; nothing where stderr is no terminal. */
export class ProgressBar {
  readonly #writer: Writer
  readonly #label: string
  readonly #now: () => number
  readonly #started: number
  #drawn = -Infinity
  #first: { readonly done: number, readonly items: number } | null = null

  constructor (label: string, { stderr, now }: { stderr: Writer, now: () => number }) {
    this.#writer = stderr
    this.#label = label
    this.#now = now
    this.#started = now()
  }

  /**
   * @param total of the same kind as `done`, 0 when nobody knows
   * @param items what is counted for people, where that is something else
   */
  async at (done: number, total: number, items = done): Promise<void> {
    const now = this.#now()
    // What an earlier run did says nothing about the speed of this one.
    this.#first ??= { done, items }
    if (!this.#writer.isTerminal || now - this.#drawn < EVERY) return
    this.#drawn = now
    await this.#writer.write(CLEAR + cut(this.#line({ done, total, items }, (now - this.#started) / 1000), this.#writer.columns - 1))
  }

  /** Leaves no trace: what came of it is told by the command. */
  async end (): Promise<void> {
    if (this.#drawn > -Infinity) await this.#writer.write(CLEAR)
    this.#drawn = -Infinity
  }

  #line ({ done, total, items }: { done: number, total: number, items: number }, seconds: number): string {
    const speed = seconds > 0 ? `${count(Math.round((items - this.#first!.items) / seconds))}/s` : '0/s'
    if (total <= 0) return `${this.#label}  ${count(items)}  ${speed}`
    const share = Math.min(1, done / total)
    const filled = Math.round(share * BAR)
    const bar = `[${'#'.repeat(filled)}${'-'.repeat(BAR - filled)}]`
    const gone = done - this.#first!.done
    const left = gone > 0 ? `  ${clock(seconds * (total - done) / gone)} left` : ''
    return `${this.#label}  ${bar} ${Math.floor(share * 100)}%  ${count(items)}  ${speed}${left}`
  }
}

function clock (seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  return (parts[0] === 0 ? parts.slice(1) : parts).map((part, index) => index === 0 ? String(part) : String(part).padStart(2, '0')).join(':')
}
