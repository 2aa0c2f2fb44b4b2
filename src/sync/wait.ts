/** Waiting for the log, bounded. */
import type { ChangeStore } from '../changelog/changelog.ts'
import type { Clock } from './clock.ts'
import type { Position } from './cursor.ts'
import type { Doorbell } from './doorbell.ts'
import { isAhead } from './validity.ts'

export interface WaitDeps {
  readonly store: ChangeStore
  readonly bell: Doorbell
  readonly clock: Clock
}

/** Resolves true at the next ring, false at the deadline (ms since 1970) or when the signal ends it. */
export function nextRing ({ bell, clock }: WaitDeps, deadline: number, signal?: AbortSignal): Promise<boolean> {
  const remaining = deadline - clock.now()
  if (remaining <= 0 || signal?.aborted === true) return Promise.resolve(false)
  return new Promise(resolve => {
    const settle = (rung: boolean): void => {
      unlisten()
      cancel()
      signal?.removeEventListener('abort', aborted)
      resolve(rung)
    }
    const aborted = (): void => settle(false)
    const unlisten = bell.listen(() => settle(true))
    const cancel = clock.after(remaining, () => settle(false))
    signal?.addEventListener('abort', aborted)
  })
}

/**
 * Another node may have handed out a checkpoint this one has yet to reach: waits for it, for a short while.
 * @param ms at most this long; whether the position is valid then is for the caller to see
 */
export async function waitForHead (deps: WaitDeps, position: Position, ms: number, signal?: AbortSignal): Promise<void> {
  // Most say their epoch, and wait for nothing.
  if (!isAhead(position, 0)) return
  const deadline = deps.clock.now() + ms
  while (isAhead(position, await deps.store.getCurrentSequence()) && await nextRing(deps, deadline, signal));
}
