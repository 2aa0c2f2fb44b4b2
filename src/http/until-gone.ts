import type { ServerResponse } from 'node:http'

/** Runs with a signal that ends it when its client is gone, or the server drains. */
export async function untilGone<T> (response: ServerResponse, draining: AbortSignal, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const over = new AbortController()
  const end = (): void => over.abort()
  response.once('close', end)
  draining.addEventListener('abort', end)
  try {
    return await run(over.signal)
  } finally {
    response.off('close', end)
    draining.removeEventListener('abort', end)
  }
}
