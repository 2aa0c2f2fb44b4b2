/** Bytes that requests and answers hold in memory. */

/** Who takes must give back the same, once. */
export interface Share {
  /** False, with nothing taken, when `n` bytes more would be over a limit. */
  take (n: number): boolean
  give (n: number): void
}

/**
 * Over all requests, and within it over those of one user. Attack: many bodies, each within its limit, or many large
 * answers that nobody reads.
 */
export class BytesInFlight implements Share {
  readonly #max: number
  readonly #perUser: number
  readonly #users = new Map<string, number>()
  #used = 0

  constructor (max: number, perUser = Infinity) {
    this.#max = max
    this.#perUser = perUser
  }

  get used (): number { return this.#used }

  take (n: number): boolean {
    if (this.#used + n > this.#max) return false
    this.#used += n
    return true
  }

  give (n: number): void {
    this.#used -= n
  }

  /** @param userId null where there are no users to tell apart */
  of (userId: string | null): Share {
    if (userId === null) return this
    return {
      take: n => {
        const used = (this.#users.get(userId) ?? 0) + n
        if (used > this.#perUser || !this.take(n)) return false
        this.#users.set(userId, used)
        return true
      },
      give: n => {
        this.give(n)
        const used = (this.#users.get(userId) ?? 0) - n
        if (used > 0) this.#users.set(userId, used)
        else this.#users.delete(userId)
      }
    }
  }
}

/** Requests of each user that are being answered. Attack: a thousand long polls at once. */
export class RequestsInFlight {
  readonly #perUser: number
  readonly #users = new Map<string, number>()

  constructor (perUser: number) {
    this.#perUser = perUser
  }

  /** False, with nothing counted, when there are too many already; else `leave` must follow. */
  enter (userId: string): boolean {
    const open = this.#users.get(userId) ?? 0
    if (open >= this.#perUser) return false
    this.#users.set(userId, open + 1)
    return true
  }

  leave (userId: string): void {
    const open = this.#users.get(userId)! - 1
    if (open > 0) this.#users.set(userId, open)
    else this.#users.delete(userId)
  }
}
