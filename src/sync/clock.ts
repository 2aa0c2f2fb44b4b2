/** Time as the rules see it; passed in, so that tests own it. */
export interface Clock {
  /** ms since 1970. */
  now (): number
  /** Calls back once after `ms`, unless the returned function is called before. */
  after (ms: number, callback: () => void): () => void
}
