/** When a stream's credential ends. */
import type { Clock } from './clock.ts'
import { expiryMember } from './frames.ts'
import type { Stream } from './stream.ts'

export class Expiry {
  readonly #clock: Clock
  readonly #sweepMs: number

  constructor (clock: Clock, sweepMs: number) {
    this.#clock = clock
    this.#sweepMs = sweepMs
  }

  /** Sweeps until it ends: the last one that is surely before. */
  sweepsTo (expiresAt: number): number {
    if (expiresAt === Infinity) return Infinity
    const left = Math.floor((expiresAt - this.#clock.now()) / this.#sweepMs)
    return left > 0 ? left : 0
  }

  /** By the clock, or by the sweeps since the stream came: a clock that is set back does not let it live longer. */
  isOver ({ age, facts: { credentialLife, request: { expiresAt } } }: Stream): boolean {
    return expiresAt !== Infinity && (age >= credentialLife || this.sweepsTo(expiresAt) === 0)
  }

  /** What hello and ping tell of it. */
  told ({ facts: { request: { expiresAt } } }: Stream): string {
    return expiryMember(expiresAt - this.#clock.now())
  }

  ping ({ place, facts: { request: { expiresAt } } }: Stream): Uint8Array {
    return expiresAt === Infinity ? place!.ping : place!.pingWith(expiryMember(expiresAt - this.#clock.now()))
  }
}
