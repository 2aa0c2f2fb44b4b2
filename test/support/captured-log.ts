/** A logger that keeps its lines, as pino would write them. */
import type { Logger } from '../../src/config.ts'

export class CapturedLog implements Logger {
  text = ''
  readonly debug = this.#at('debug')
  readonly info = this.#at('info')
  readonly warn = this.#at('warn')
  readonly error = this.#at('error')

  #at (level: string): Logger['debug'] {
    return (fields, message) => { this.text += `${JSON.stringify({ level, ...fields, message }, plain)}\n` }
  }
}

function plain (_key: string, value: unknown): unknown {
  return value instanceof Error ? { ...value, name: value.name, message: value.message, stack: value.stack, cause: value.cause } : value
}
