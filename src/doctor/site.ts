/** The deployed server that is looked at: its address, and what every request to it needs. */

export interface Site {
  /** Its path ends without a slash. */
  readonly url: URL
  /** Sent to this host alone. */
  readonly token: string | undefined
  /** Further authorities whose certificates are believed, PEM. */
  readonly ca: string | undefined
  /** How long one answer may take, ms. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** ms since 1970. */
  readonly now: () => number
}

/** A collection that nobody has: what is asked about it shows no document and moves no data. */
export const NOBODYS = 'pocket-doctor'

/** @throws TypeError that says what is wrong with the text, without it where it may hold a secret */
export function addressOf (text: string): URL {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) throw new TypeError(`the address begins with https:// or http://: https://${text.replace(/^\/*/, '')}, say`)
  if (!URL.canParse(text)) throw new TypeError(`${JSON.stringify(text)} is no URL`)
  const url = new URL(text)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new TypeError(`the address begins with https:// or http://, not ${url.protocol}//`)
  if (url.username !== '' || url.password !== '') throw new TypeError('the address holds a name or password: leave it out; a token goes into --token')
  if (url.search !== '' || url.hash !== '') throw new TypeError('the address ends before "?" and "#"')
  // What people copy is often one of the endpoints.
  url.pathname = url.pathname.replace(/\/+$/, '').replace(/\/(sync(\/(info|push|pull|stream|changes|snapshot))?|health)$/, '').replace(/\/+$/, '')
  return url
}

/** The address as people write it. */
export function shown ({ origin, pathname }: URL): string {
  return `${origin}${pathname === '/' ? '' : pathname}`
}

export function isLoopback ({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]' || /^127\./.test(hostname)
}

/** Resolves after these ms, or at once when the examination ends. */
export async function pause (ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>(resolve => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
