#!/usr/bin/env node
/** The program `pocket-server`: what its commands see of the process, signals and exit codes. */
import type { Writer } from './cli/command.ts'
import { exitCodes } from './cli/exit.ts'
import { runProgram } from './cli/program.ts'

const COLUMNS = 80

function writer (stream: NodeJS.WriteStream): Writer {
  // Without a listener a reader that went away ends the process with a stack.
  stream.on('error', () => {})
  return {
    isTerminal: stream.isTTY,
    get columns () { return stream.columns || COLUMNS },
    write: text => new Promise((resolve, reject) => {
      stream.write(text, error => { if (error) reject(error); else resolve() })
    })
  }
}

/** What npm or timeout runs gets a signal twice, from the terminal and from them: within these ms it is one. */
const SAME_SIGNAL = 100

/** The first one asks the command to end, the second does not ask. */
function signalled (): AbortSignal {
  const controller = new AbortController()
  let first = 0
  const end = (signal: NodeJS.Signals): void => {
    if (!controller.signal.aborted) {
      first = performance.now()
      controller.abort(signal)
    } else if (performance.now() - first > SAME_SIGNAL) process.exit(exitCodes.failed)
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  return controller.signal
}

let report = (error: unknown): void => { console.error('pocket-server:', error) }

/** After an error that nobody expected the state is not known: end, and let what supervises the program restart it. */
function endOnUnhandled (error: unknown): void {
  report(error)
  process.exit(exitCodes.failed)
}

process.on('uncaughtException', endOnUnhandled)
process.on('unhandledRejection', endOnUnhandled)
process.exit(await runProgram(process.argv.slice(2), {
  stdin: () => process.stdin,
  stdout: writer(process.stdout),
  stderr: writer(process.stderr),
  env: process.env,
  signal: signalled(),
  now: Date.now,
  onUnhandled: given => { report = given }
}))
