/**
 * Counts requests by @fastify/rate-limit, on an app of its own: so it is the same wherever this server runs, and a
 * host that uses that plugin keeps its own. The store is ours: refilled evenly and not all at once each minute, by
 * this server's clock, and bounded.
 */
import rateLimit from '@fastify/rate-limit'
import type { FastifyRateLimitStore } from '@fastify/rate-limit'
import Fastify from 'fastify'
import type { FastifyRequest } from 'fastify'
import type { Budget } from './budgets.ts'

export interface RequestCounter {
  /** Counts one. @returns 0, or without counting it the ms until there is room for it */
  count (key: string): Promise<number>
  /** Counts as many more, room or not. */
  charge (key: string, requests: number): void
}

export async function openRequestCounter (budgets: Budget, perMinute: number): Promise<RequestCounter> {
  const app = Fastify({ logger: false })
  await app.register(rateLimit, { global: false, max: perMinute, store: storeOver(budgets), keyGenerator: asked => (asked as unknown as Asked).key })
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

function storeOver (budgets: Budget): new () => FastifyRateLimitStore {
  return class {
    incr (key: string, done: (error: Error | null, result?: { current: number, ttl: number }) => void, _window: number, max: number): void {
      const answer = (ttl: number): void => done(null, { current: ttl === 0 ? 0 : max + 1, ttl })
      const taken = budgets.take(key, 1)
      if (typeof taken === 'number') answer(taken)
      else taken.then(answer, done)
    }

    child (): FastifyRateLimitStore {
      return this
    }
  }
}
