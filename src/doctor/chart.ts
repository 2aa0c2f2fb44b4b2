/** What is known of a server under examination, and what has been told of it. */
import { ask } from './ask.ts'
import type { Heard, Question } from './ask.ts'
import type { Finding } from './finding.ts'
import { mendsOf } from './mends.ts'
import type { Mend, MendFacts } from './mends.ts'
import { onTheWay } from './on-the-way.ts'
import type { OnTheWay } from './on-the-way.ts'
import type { Site } from './site.ts'

/** A finding with the lines of configuration that mend it. */
export interface Told extends Omit<Finding, 'remedy'> {
  readonly mends: readonly Mend[]
}

export interface Outcome {
  /** Whether anything listens at the address. */
  readonly reached: boolean
  readonly problems: number
  readonly notes: number
  /** What seems to lie between. */
  readonly way: readonly string[]
}

const STANDARD_BODY = 16 * 2 ** 20

export class Chart {
  readonly site: Site
  readonly #tell: (told: Told) => Promise<void>
  readonly #heard: Heard[] = []
  readonly #counts = { ok: 0, note: 0, problem: 0, skipped: 0 }
  #facts: MendFacts
  reached = false

  constructor (site: Site, tell: (told: Told) => Promise<void>) {
    const { pathname } = site.url
    this.site = site
    this.#tell = tell
    this.#facts = { base: pathname === '/' ? '' : pathname, idleSeconds: 60, bodyBytes: STANDARD_BODY }
  }

  /** Asks, and remembers the answer for what it gives away of the way. */
  async ask (question: Question): Promise<Heard> {
    const heard = await ask(this.site, question)
    this.remember(heard)
    return heard
  }

  remember (...heard: readonly Heard[]): void {
    this.#heard.push(...heard)
  }

  get way (): OnTheWay {
    return onTheWay(this.#heard)
  }

  /** What the server says of itself, for the figures in lines of configuration. */
  know ({ waitMs, bodyBytes }: { waitMs: number, bodyBytes: number }): void {
    this.#facts = { ...this.#facts, idleSeconds: Math.max(60, Math.ceil(waitMs * 2 / 60_000) * 60), bodyBytes: Math.min(bodyBytes, 2 ** 30) }
  }

  async tell (finding: Finding): Promise<void> {
    if (this.site.signal.aborted) return
    this.#counts[finding.level]++
    const { remedy, ...rest } = finding
    const mends = remedy === undefined ? [] : mendsOf(remedy, this.way.proxies, this.#facts)
    await this.#tell({ ...rest, mends })
  }

  outcome (): Outcome {
    const { problem, note } = this.#counts
    return { reached: this.reached, problems: problem, notes: note, way: this.way.names }
  }
}
