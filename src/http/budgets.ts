/**
 * What each may spend in a minute, refilled evenly. What something costs may be known only afterwards: an account may
 * go below nothing, and who is in debt waits until it is paid.
 */
import type { Clock } from '../sync/clock.ts'

const MINUTE = 60_000

interface Account {
  /** Of the minute's budget; below 0 in debt. */
  left: number
  /** ms since 1970. */
  at: number
}

export interface Budget {
  /** Spends it where there is room. @returns 0 then, else the ms until there is */
  take (key: string, cost: number): number | Promise<number>
  /** Time until who is in debt is not, ms. */
  wait (key: string): number | Promise<number>
  /** Spends it, room or not. */
  spend (key: string, cost: number): void
}

export interface BudgetOptions {
  readonly perMinute: number
  /** Accounts that are kept; beyond, the one that was used least recently is forgotten, debts too. */
  readonly most: number
  readonly clock: Pick<Clock, 'now'>
}

export class Budgets implements Budget {
  readonly #options: BudgetOptions
  /** Those with something spent, the least recently used first. */
  readonly #accounts = new Map<string, Account>()

  constructor (options: BudgetOptions) {
    this.#options = options
  }

  get size (): number {
    return this.#accounts.size
  }

  take (key: string, cost: number): number {
    const wait = this.waitMs(key, cost)
    if (wait === 0) this.spend(key, cost)
    return wait
  }

  wait (key: string): number {
    return this.waitMs(key)
  }

  /** Time until so much may be spent without debt, ms; 0 for now. */
  waitMs (key: string, cost = 0): number {
    const account = this.#accounts.get(key)
    if (account === undefined) return 0
    this.#refill(account)
    return Math.max(0, cost - account.left) / this.#options.perMinute * MINUTE
  }

  spend (key: string, cost: number): void {
    const { perMinute, most, clock } = this.#options
    let account = this.#accounts.get(key)
    if (account === undefined) account = { left: perMinute, at: clock.now() }
    else this.#refill(account)
    account.left -= cost
    this.#accounts.delete(key)
    this.#accounts.set(key, account)
    if (this.#accounts.size > most) this.#accounts.delete(this.#accounts.keys().next().value!)
  }

  /** A clock that goes back refills nothing, and locks nobody out. */
  #refill (account: Account): void {
    const { perMinute, clock } = this.#options
    const now = clock.now()
    account.left = Math.min(perMinute, account.left + Math.max(0, now - account.at) / MINUTE * perMinute)
    account.at = now
  }
}
