/**
 * How much one may ask: requests of an address, before anybody is authenticated, and of a user; changes of a user, or
 * of an address where there are no users.
 */
import { randomInt } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Config } from '../config.ts'
import type { Coordination } from '../coordination/coordination.ts'
import { SyncError } from '../errors.ts'
import type { Clock } from '../sync/clock.ts'
import { Budgets, type Budget } from './budgets.ts'
import { networkOf } from './caller.ts'
import type { AddressOf } from './caller.ts'
import { Ledger } from './ledger.ts'
import { openRequestCounter } from './request-counter.ts'
import type { RequestCounter } from './request-counter.ts'
import { SharedBudgets } from './shared-budgets.ts'

/** Attack: a million addresses, each with an account of about 200 bytes. */
const ACCOUNTS = 20_000

/** Addresses whose network is remembered. */
const KNOWN = 1000

/** What a change that wrote nothing, a repeated one say, costs in changes. */
const UNWRITTEN = 1 / 16
/** Of a body as much as a change: reading it costs, whatever comes of it. */
const BODY_BYTES = 4096

/** Who pays: a user, or where there are none an address. */
interface Payer {
  readonly request: IncomingMessage
  /** null where there are no users. */
  readonly account: string | null
}

interface Counts {
  readonly addresses: RequestCounter
  readonly users: RequestCounter
  readonly changes: Budget
  readonly failureCost: number
  readonly addressOf: AddressOf
  /** Told once of a proxy that nobody said is trusted; null where some are. */
  readonly onProxy: (() => void) | null
  readonly close: () => Promise<void>
}

interface Parts {
  readonly clock: Clock
  readonly addressOf: AddressOf
  /** Where budgets hold over all nodes together; null where this node is alone. */
  readonly coordination: Pick<Coordination, 'draw'> | null
}

/** @returns null where nobody is limited: by option, or since only this machine is answered */
export async function openRateLimits ({ rateLimit, access, open, trustProxy, logger }: Pick<Config, 'rateLimit' | 'access' | 'open' | 'trustProxy' | 'logger'>, { clock, addressOf, coordination }: Parts): Promise<RateLimits | null> {
  if (rateLimit === null || (access.authenticate === null && !open)) return null
  const ledger = coordination === null ? null : new Ledger(coordination)
  const shared: SharedBudgets[] = []
  const budget = (name: string, limit: number): Budget => {
    const options = { perMinute: Math.min(limit, Number.MAX_SAFE_INTEGER), most: ACCOUNTS, clock }
    if (ledger === null || limit === 0 || limit >= Number.MAX_SAFE_INTEGER) return new Budgets(options)
    const budgets = new SharedBudgets({ ...options, ledger, name })
    shared.push(budgets)
    return budgets
  }
  const requests = (name: string, limit: number): Promise<RequestCounter> => openRequestCounter(budget(name, limit), Math.min(limit, Number.MAX_SAFE_INTEGER))
  return new RateLimits({
    addresses: await requests('address', rateLimit.requestsPerMinutePerAddress),
    users: await requests('user', rateLimit.requestsPerMinute),
    changes: budget('changes', rateLimit.changesPerMinute),
    failureCost: rateLimit.failureCost,
    addressOf,
    onProxy: trustProxy !== false ? null : () => logger.warn({}, 'requests come with X-Forwarded-For, which is not believed: if a proxy of yours sets it, name the proxy with trustProxy; else all its users share the limits of one address'),
    close: async () => { await Promise.all(shared.map(budgets => budgets.close())) }
  })
}

export class RateLimits {
  readonly #counts: Counts
  readonly #networks = new Map<string, string>()
  #onProxy: Counts['onProxy']

  constructor (counts: Counts) {
    this.#counts = counts
    this.#onProxy = counts.onProxy
  }

  /** Counts a request before anybody is authenticated; null where its address has no limit. @throws SyncError rate_limited */
  fromAddress (request: IncomingMessage): Promise<void> | null {
    if (this.#onProxy !== null && request.headers['x-forwarded-for'] !== undefined) {
      this.#onProxy()
      this.#onProxy = null
    }
    const key = this.#network(request)
    return key === null ? null : count(this.#counts.addresses, key, 'this address')
  }

  /** @throws SyncError rate_limited */
  fromUser (account: string): Promise<void> {
    return count(this.#counts.users, account, 'this user')
  }

  /** Counts a failed authentication at its address alone: no user pays for it. */
  failed (request: IncomingMessage): void {
    const key = this.#network(request)
    if (key !== null) this.#counts.addresses.charge(key, this.#counts.failureCost)
  }

  /** @returns null where that is known at once. @throws SyncError rate_limited while more was changed than the minute gives */
  assertSolvent (payer: Payer): Promise<void> | null {
    const account = this.#accountOf(payer)
    const debt = account === null ? 0 : this.#counts.changes.wait(account)
    if (typeof debt !== 'number') return debt.then(assertNoDebt)
    assertNoDebt(debt)
    return null
  }

  spendBody (payer: Payer, bytes: number): void {
    this.#spend(payer, bytes / BODY_BYTES)
  }

  /** @param written entries that a push made of its changes */
  spendChanges (payer: Payer, { changes, written }: { readonly changes: number, readonly written: number }): void {
    this.#spend(payer, written + (changes - written) * UNWRITTEN)
  }

  /** Gives back what other nodes can use. */
  async close (): Promise<void> {
    await this.#counts.close()
  }

  #spend (payer: Payer, cost: number): void {
    const account = this.#accountOf(payer)
    if (account !== null) this.#counts.changes.spend(account, cost)
  }

  #accountOf ({ request, account }: Payer): string | null {
    return account ?? this.#network(request)
  }

  /**
   * Null for this machine: behind a proxy of its own whose word is not trusted everybody comes from there, and would
   * pay for everybody else.
   */
  #network (request: IncomingMessage): string | null {
    const address = this.#counts.addressOf(request)
    return address === null || address === '::1' || address.startsWith('127.') ? null : this.#networkOf(address)
  }

  /** To take an IPv6 address apart costs more than to count it. */
  #networkOf (address: string): string {
    if (!address.includes(':')) return address
    const known = this.#networks.get(address)
    if (known !== undefined) return known
    if (this.#networks.size >= KNOWN) this.#networks.clear()
    const network = networkOf(address)
    this.#networks.set(address, network)
    return network
  }
}

function assertNoDebt (debt: number): void {
  if (debt > 0) throw refusal(debt, 'More was changed in a minute than one may.')
}

async function count (counter: RequestCounter, key: string, who: string): Promise<void> {
  const wait = await counter.count(key)
  if (wait > 0) throw refusal(wait, `More requests come from ${who} than one may send in a minute.`)
}

/** Not all that were refused come back in the same second. */
function refusal (ms: number, detail: string): SyncError {
  const seconds = Math.ceil(ms / 1000)
  return new SyncError('rate_limited', { detail, headers: { 'retry-after': String(seconds + randomInt(0, 3 + Math.ceil(seconds / 4))) } })
}
