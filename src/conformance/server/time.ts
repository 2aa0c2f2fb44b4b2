/** Waiting that ends. */

/** @throws Error saying what was waited for when it takes longer than `ms` */
export async function within<T> (ms: number, what: string, act: () => Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => { timer = setTimeout(() => reject(new Error(`${what} within ${ms} ms`)), ms) })
  try {
    return await Promise.race([act(), late])
  } finally {
    clearTimeout(timer)
  }
}

/** Acts again and again until it answers with something. @throws Error as `within` */
export async function until<T> (ms: number, what: string, act: () => Promise<T | undefined>): Promise<T> {
  for (const end = performance.now() + ms; ;) {
    const found = await act()
    if (found !== undefined) return found
    if (performance.now() > end) throw new Error(`${what} within ${ms} ms`)
    await pause(100)
  }
}

function pause (ms: number): Promise<void> {
  return new Promise(resolve => { setTimeout(resolve, ms) })
}

export function median (values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}
