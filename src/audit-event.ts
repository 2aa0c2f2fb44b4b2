/** What the option `onAudit` is told. */

export interface AuditEvent {
  /**
   * `denied`: somebody may not do what they asked for; `unauthenticated`: nobody, or nobody known, asked. The operator's
   * own: `erased`, `reverted`, `replayed`. `sealed`: entries have joined the audit chain, `code` is its hash.
   */
  readonly type: 'denied' | 'unauthenticated' | 'erased' | 'reverted' | 'replayed' | 'sealed'
  /** ms since 1970. */
  readonly time: number
  /** null where nobody is known, and of a `count` where they differ; so are the next ones. */
  readonly userId: string | null
  readonly clientId: string | null
  readonly address: string | null
  /** Whose log it concerns; null where there are no tenants. */
  readonly tenant: string | null
  readonly collection: string | null
  readonly documentId: string | null
  /** Of a refusal its error code, of an operator's change its status, of a seal the newest block's hash. */
  readonly code: string
  /** How many like it: more than one where attempts come faster than one a second. */
  readonly count: number
}

/** Is told of each event; what it throws is logged, and harms nobody. */
export type OnAudit = (event: AuditEvent) => void
