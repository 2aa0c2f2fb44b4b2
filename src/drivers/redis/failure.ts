/** What the client libraries throw holds the command with all its arguments, documents among them: this does not. */

/** What a server that does not know a command repeats of its arguments. */
const REPEATED = /,? with args beginning with[^]*$/

export class RedisFailure extends Error {
  /** The first word of the server's answer (`OOM`, `READONLY`, …), a code of the connection (`ECONNREFUSED`, `CONNECTION`, `TIMEOUT`, `CLOSED`), or ''. */
  readonly code: string

  constructor (code: string, message: string) {
    super(message)
    this.name = 'RedisFailure'
    this.code = code
  }

  static of (error: unknown): RedisFailure {
    if (error instanceof RedisFailure) return error
    const { message, code } = described(error)
    return new RedisFailure(code, message)
  }
}

export function hasCode (error: unknown, code: string): boolean {
  return error instanceof RedisFailure && error.code === code
}

function described (error: unknown): { message: string, code: string } {
  if (!(error instanceof Error)) return { message: 'Redis failed', code: '' }
  const { code, errors } = error as Error & { code?: unknown, errors?: unknown }
  // Several addresses were tried: each has its own error, and the whole has no words.
  if (error.message === '' && Array.isArray(errors) && errors.length > 0) return described(errors[0])
  const message = error.message.replace(REPEATED, '')
  const answered = /^([A-Z]+)\b/.exec(message)?.[1]
  return { message, code: typeof code === 'string' ? code : answered ?? '' }
}
