/** What a command of the program is: one file under `commands/` each, listed in `registry.ts`. */

export interface Flag {
  readonly type: 'boolean'
  /** Environment variable with the same meaning: `1`, `true`, `0` or `false`. */
  readonly env?: string
  /** For the help: one line, no full stop. */
  readonly summary: string
}

export interface Text {
  readonly type: 'string'
  /** How the help calls the value, e.g. `<path>`. */
  readonly value: string
  readonly env?: string
  readonly default?: string
  /** May be given more than once. */
  readonly multiple?: true
  readonly summary: string
}

/** By the name without its dashes. */
export type Options = Readonly<Record<string, Flag | Text>>

/** An option's value: the argument's, else the variable's, else the default. */
export type Values<O extends Options> = {
  readonly [Name in keyof O]: O[Name] extends Flag ? boolean : O[Name] extends { readonly multiple: true } ? readonly string[] : O[Name] extends { readonly default: string } ? string : string | undefined
}

/** stdout or stderr. */
export interface Writer {
  readonly isTerminal: boolean
  /** Columns of the terminal; 80 where nobody says. */
  readonly columns: number
  /** Resolves when the text was taken. Rejects with the code `EPIPE` once nobody reads it any more. */
  write (text: string): Promise<void>
}

export type Environment = Readonly<Record<string, string | undefined>>

/** The world around a command; nothing else of the process is seen by it. */
export interface World {
  readonly stdin: () => AsyncIterable<Uint8Array>
  readonly stdout: Writer
  readonly stderr: Writer
  readonly env: Environment
  /** Aborts at the first SIGINT or SIGTERM, whose name is the reason; the second ends the process. */
  readonly signal: AbortSignal
  /** ms since 1970. */
  readonly now: () => number
  /** Who is told of an error that nobody handled, before the program ends with 1. Default: a line on stderr. */
  readonly onUnhandled: (report: (error: unknown) => void) => void
}

export interface Context<O extends Options = Options> extends World {
  readonly options: Values<O>
  /** What follows the command's name, options apart: as many as `operands` allows. */
  readonly operands: readonly string[]
}

export interface Definition<O extends Options> {
  readonly name: string
  /** One line for the list of commands, no full stop. */
  readonly summary: string
  /** What follows the name, e.g. `<collection> <documentId>`; empty for nothing. */
  readonly usage: string
  /** How many operands it takes. */
  readonly operands: { readonly min: number, readonly max: number }
  readonly options: O
  /** Further paragraphs of its help: what it promises, what it leaves alone. */
  readonly about: string
  /**
   * @returns the exit code
   * @throws CommandError (or SyncError): told in one line
   */
  run (context: Context<O>): Promise<number>
}

export type Command = Definition<Options>

/** A command with its options' types; the registry needs none of them. */
export function command<const O extends Options> (definition: Definition<O>): Command {
  return definition as unknown as Command
}
