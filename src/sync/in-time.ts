import type { Clock } from './clock.ts'

export const late = Symbol('late')

/** What the application's own function answers, or `late`: one that never does must not hold anybody for ever. */
export async function inTime<T> (run: () => T | Promise<T>, ms: number, clock: Clock): Promise<T | typeof late> {
  let cancel = (): void => {}
  const timer = new Promise<typeof late>(resolve => {
    if (ms !== Infinity) cancel = clock.after(ms, () => resolve(late))
  })
  try {
    return await Promise.race([run(), timer])
  } finally {
    cancel()
  }
}
