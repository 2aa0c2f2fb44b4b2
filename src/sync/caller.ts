/** Who: the result of authentication. */
export interface User {
  readonly id: string
  readonly userId: string
  readonly [claim: string]: unknown
}

/** Who sends a message, from which replica and from where. */
export interface Caller {
  /** null where the server runs without authentication. */
  readonly user: User | null
  readonly clientId: string | null
  readonly address: string | null
}
