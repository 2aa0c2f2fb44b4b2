/**
 * Small answers that go out together. A system call after each request costs the next one what the processor had at
 * hand, and wakes a client or a proxy on this machine once for each: together more than the answer itself.
 */

/** So that the first need not wait for long where many ask. */
const TOGETHER = 16
let waiting: Array<() => void> = []

/** Resolves when all that has come in this turn of the event loop was looked at, or enough of it. */
export function endOfTurn (): Promise<void> {
  return new Promise(resolve => {
    const together = waiting.push(resolve)
    if (together === 1) setImmediate(go)
    else if (together === TOGETHER) go()
  })
}

function go (): void {
  const together = waiting
  waiting = []
  for (const resolve of together) resolve()
}
