/**
 * PORT: hints between the nodes. A hint says "there is something new": it carries no data and may be lost.
 * Whoever listens looks at the change log, and looks now and then without a hint too.
 */
export interface PubSub {
  /** Resolves when hints for the topic arrive; the returned function ends that. A listener must not throw. */
  subscribe (topic: string, listener: () => void): Promise<() => Promise<void>>
  /** Never throws: a hint that cannot be sent is lost. */
  publish (topic: string): void
  /** Idempotent; no listener is called afterwards. */
  close (): Promise<void>
}
