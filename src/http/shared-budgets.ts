/**
 * Budgets that hold over all nodes together. A node takes a small share out of the account and spends it here, so that
 * few requests cost a round trip; what was spent without a share is charged afterwards. A share that nobody uses goes
 * back. While the accounts are away each node goes by its own budget, which it keeps all along.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../sync/clock.ts'
import { Budgets, type Budget, type BudgetOptions } from './budgets.ts'
import type { Ledger } from './ledger.ts'

/** Of a minute's budget; at least 1. */
const SHARE = 1 / 40
/** A share that is not used for so long goes back, ms; debts are settled at the latest then. */
const SWEEP = 2000
/** A refusal is asked about again after this, ms: the account may have been given back to. */
const RECHECK = 2000

interface Share {
  /** Below 0: spent here, and not yet charged. */
  left: number
  /** What those who wait for an answer want to spend. */
  wanted: number
  asking: Promise<boolean> | null
  /** Until when the account had nothing, as it was last said: from when, and for how many ms. */
  refusedAt: number
  refusedFor: number
  used: boolean
}

export interface SharedBudgetsOptions extends BudgetOptions {
  readonly clock: Clock
  readonly ledger: Ledger
  /** Tells these accounts from others of the same ledger. */
  readonly name: string
}

export class SharedBudgets implements Budget {
  readonly #options: SharedBudgetsOptions
  /** What this node alone has let through: never more than the whole budget. */
  readonly #own: Budgets
  /** The least recently used first. */
  readonly #shares = new Map<string, Share>()
  #cancelSweep: (() => void) | null = null

  constructor (options: SharedBudgetsOptions) {
    this.#options = options
    this.#own = new Budgets(options)
  }

  take (key: string, cost: number): number | Promise<number> {
    const here = this.#own.waitMs(key, cost)
    if (here > 0) return here
    const share = this.#shareOf(key)
    if (share.left >= cost) return this.#pay(key, share, cost)
    const wait = this.#refusal(share)
    return wait > 0 ? wait : this.#takeLater(key, share, cost)
  }

  wait (key: string): number | Promise<number> {
    const here = this.#own.waitMs(key)
    if (here > 0) return here
    const share = this.#shareOf(key)
    if (share.left > 0) return 0
    const wait = this.#refusal(share)
    if (wait > 0) return wait
    return this.#ask(key, share, 0).then(() => this.#refusal(share))
  }

  spend (key: string, cost: number): void {
    const share = this.#shareOf(key)
    this.#pay(key, share, cost)
    if (share.left < 0 && this.#refusal(share) === 0) this.#ask(key, share, 0).catch(() => {})
  }

  /** Gives back what is left. */
  async close (): Promise<void> {
    this.#cancelSweep?.()
    this.#cancelSweep = () => {}
    await Promise.all([...this.#shares].map(([key, share]) => this.#settle(key, share)))
  }

  #pay (key: string, share: Share, cost: number): 0 {
    share.left -= cost
    this.#own.spend(key, cost)
    return 0
  }

  async #takeLater (key: string, share: Share, cost: number): Promise<number> {
    share.wanted += cost
    try {
      for (;;) {
        if (!await this.#ask(key, share, cost)) return this.#own.take(key, cost)
        if (share.left >= cost) return this.#pay(key, share, cost)
        const wait = this.#refusal(share)
        if (wait > 0) return wait
      }
    } finally {
      share.wanted -= cost
    }
  }

  /** @returns false while the accounts are away */
  #ask (key: string, share: Share, least: number): Promise<boolean> {
    share.asking ??= this.#draw(key, share, least).finally(() => { share.asking = null })
    return share.asking
  }

  async #draw (key: string, share: Share, least: number): Promise<boolean> {
    const { perMinute, ledger, clock } = this.#options
    const charge = Math.max(0, -share.left)
    share.left += charge
    const want = Math.max(1, perMinute * SHARE, share.wanted)
    const drawn = await ledger.draw({ account: this.#account(key), perMinute, charge, want, least })
    // What was to be charged may have been: this node's own budget has it in any case.
    if (drawn === null) return false
    share.left += drawn.taken
    share.refusedAt = clock.now()
    share.refusedFor = drawn.waitMs
    return true
  }

  /** ms; a clock that goes back refuses nobody. */
  #refusal ({ refusedAt, refusedFor }: Share): number {
    const since = this.#options.clock.now() - refusedAt
    return since < 0 || since >= RECHECK ? 0 : Math.max(0, refusedFor - since)
  }

  #shareOf (key: string): Share {
    const share = this.#shares.get(key) ?? { left: 0, wanted: 0, asking: null, refusedAt: -Infinity, refusedFor: 0, used: true }
    share.used = true
    this.#shares.delete(key)
    this.#shares.set(key, share)
    if (this.#shares.size > this.#options.most) this.#shares.delete(this.#shares.keys().next().value!)
    this.#cancelSweep ??= this.#options.clock.after(SWEEP, () => this.#sweep())
    return share
  }

  #sweep (): void {
    for (const [key, share] of this.#shares) {
      if (share.asking !== null) continue
      if (share.left < 0) this.#ask(key, share, 0).catch(() => {})
      else if (!share.used) {
        this.#shares.delete(key)
        this.#settle(key, share).catch(() => {})
      }
      share.used = false
    }
    this.#cancelSweep = this.#shares.size === 0 ? null : this.#options.clock.after(SWEEP, () => this.#sweep())
  }

  async #settle (key: string, share: Share): Promise<void> {
    const { perMinute, ledger } = this.#options
    const charge = -share.left
    share.left = 0
    if (charge !== 0) await ledger.draw({ account: this.#account(key), perMinute, charge, want: 0, least: 0 })
  }

  #account (key: string): string {
    return `${this.#options.name}:${createHash('sha256').update(key).digest('base64url')}`
  }
}
