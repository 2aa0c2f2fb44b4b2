/**
 * Counts requests by @fastify/rate-limit, on an app of its own: so it is the same wherever this server runs, and a
 * host that uses that plugin keeps its own. The store is ours: refilled evenly and not all at once each minute, by
 * this server's clock, and bounded.
 */
import rateLimit from '@fastify/rate-limit'
import type { FastifyRateLimitStore } from '@fastify/rate-limit'
import Fastify from 'fastify'
import type { FastifyRequest } from 'fastify'
import { Budgets } from './budgets.ts'
import type { BudgetOptions } from './budgets.ts'

export interface RequestCounter {
  /** Counts one. @returns 0, or without counting it the ms until there is room for it */
  count (key: string): Promise<number>
  /** Counts as many more, room or not. */
  charge (key: string, requests: number): void
}

export async function openRequestCounter (options: BudgetOptions): Promise<RequestCounter> {
  const budgets = new Budgets(options)
  const app = Fastify({ logger: false })
  await app.register(rateLimit, { global: false, max: options.perMinute, store: storeOver(budgets), keyGenerator: asked => (asked as unknown as Asked).key })
  const ask = app.createRateLimit()
  return {
    async count (key) {
      const answer = await ask({ key, routeOptions: NO_ROUTE } satisfies Asked as unknown as FastifyRequest)
      return answer.isAllowed || !answer.isExceeded ? 0 : answer.ttl
    },
    charge (key, requests) {
      budgets.spend(key, requests)
    }
  }
}

/** As much of a request as the library looks at. */
interface Asked {
  readonly key: string
  readonly routeOptions: { readonly config: object }
}

const NO_ROUTE = { config: {} }

function storeOver (budgets: Budgets): new () => FastifyRateLimitStore {
  return class {
    incr (key: string, done: (error: null, result: { current: number, ttl: number }) => void, _window: number, max: number): void {
      const ttl = budgets.waitMs(key, 1)
      if (ttl === 0) budgets.spend(key, 1)
      done(null, { current: ttl === 0 ? 0 : max + 1, ttl })
    }

    child (): FastifyRateLimitStore {
      return this
    }
  }
}
