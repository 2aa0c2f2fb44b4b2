/** When to try again: full jitter, so that clients which lost a server together do not come back together. */

/** A random time up to `base × 2^failures`, at most `max`. All in ms. */
export function fullJitter (failures: number, base: number, max: number): number {
  return Math.random() * Math.min(max, base * 2 ** Math.min(failures, 30))
}

/** `Retry-After` in ms: seconds or a date; undefined when it is neither. */
export function retryAfterMs (value: string | null): number | undefined {
  if (value === null) return undefined
  const seconds = /^\d+$/.test(value.trim()) ? Number(value) : (Date.parse(value) - Date.now()) / 1000
  return Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : undefined
}

/** The longest time that timers of the platforms take. */
const LONGEST = 2 ** 31 - 1

/** Resolves after `ms`, or at once when the signal aborts. */
export function sleep (ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal?.aborted === true) { resolve(); return }
    const end = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, Math.min(ms, LONGEST))
    signal?.addEventListener('abort', end)
  })
}

/**
 * A signal that aborts with its parent, or when nobody called `extend` for long enough. `AbortSignal.any` and
 * `.timeout` would do the same, but hold on to what they watch for as long as the parent lives.
 */
export class Deadline {
  readonly #controller = new AbortController()
  readonly #parent: AbortSignal | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  /** The time ran out. */
  expired = false
  readonly #abort = (): void => { this.#controller.abort(this.#parent?.reason) }

  constructor (parent: AbortSignal | undefined) {
    this.#parent = parent
    if (parent?.aborted === true) this.#abort()
    else parent?.addEventListener('abort', this.#abort)
  }

  get signal (): AbortSignal {
    return this.#controller.signal
  }

  /** From now on it aborts after `ms`; without, only with its parent. */
  extend (ms?: number): void {
    clearTimeout(this.#timer)
    if (ms === undefined) return
    this.#timer = setTimeout(() => {
      this.expired = true
      this.#controller.abort(new Error(`nothing came within ${ms} ms`))
    }, Math.min(ms, LONGEST))
  }

  /** Lets go of the parent and aborts what is still open. */
  end (): void {
    this.extend()
    this.#parent?.removeEventListener('abort', this.#abort)
    this.#controller.abort()
  }
}
