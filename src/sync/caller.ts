import type { User } from '../access.ts'

/** Who sends a message, from which replica and from where. */
export interface Caller {
  /** null where the server runs without authentication. */
  readonly user: User | null
  readonly clientId: string | null
  readonly address: string | null
  /** The operator, whom no rule of access binds. */
  readonly operator?: true
}
