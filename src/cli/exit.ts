/** How the program ends. */
export const exitCodes = {
  ok: 0,
  /** It failed while running, or found what it was asked to look for: damage, a refused line. */
  failed: 1,
  /** Wrong arguments. */
  usage: 2,
  /** The address cannot be used. */
  address: 69,
  /** The change log, or a file, cannot be opened, read or written. */
  log: 74
} as const

export type ExitKind = keyof typeof exitCodes

/** Ends a command; its message is one line for people: what is wrong, where, and what to do next. */
export class CommandError extends Error {
  readonly kind: ExitKind

  constructor (kind: ExitKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.kind = kind
  }
}

/** The arguments are wrong; the message says which one. */
export class UsageError extends CommandError {
  constructor (message: string) {
    super('usage', message)
  }
}
