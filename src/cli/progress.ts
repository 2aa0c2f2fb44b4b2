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
  #first: number | null = null

  constructor (label: string, { stderr, now }: { stderr: Writer, now: () => number }) {
    this.#writer = stderr
    this.#label = label
    this.#now = now
    this.#started = now()
  }

  /** @param total 0 when nobody knows */
  async at (done: number, total: number): Promise<void> {
    const now = this.#now()
    // What an earlier run did says nothing about the speed of this one.
    this.#first ??= done
    if (!this.#writer.isTerminal || now - this.#drawn < EVERY) return
    this.#drawn = now
    await this.#writer.write(CLEAR + cut(this.#line({ done, total }, (now - this.#started) / 1000), this.#writer.columns - 1))
  }

  /** Leaves no trace: what came of it is told by the command. */
  async end (): Promise<void> {
    if (this.#drawn > -Infinity) await this.#writer.write(CLEAR)
    this.#drawn = -Infinity
  }

  #line ({ done, total }: { done: number, total: number }, seconds: number): string {
    const rate = seconds > 0 ? (done - this.#first!) / seconds : 0
    const speed = `${count(Math.round(rate))}/s`
    if (total <= 0) return `${this.#label}  ${count(done)}  ${speed}`
    const share = Math.min(1, done / total)
    const filled = Math.round(share * BAR)
    const bar = `[${'#'.repeat(filled)}${'-'.repeat(BAR - filled)}]`
    const left = rate > 0 ? `  ${clock((total - done) / rate)} left` : ''
    return `${this.#label}  ${bar} ${Math.floor(share * 100)}%  ${count(done)}/${count(total)}  ${speed}${left}`
  }
}

function clock (seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  return (parts[0] === 0 ? parts.slice(1) : parts).map((part, index) => index === 0 ? String(part) : String(part).padStart(2, '0')).join(':')
}
