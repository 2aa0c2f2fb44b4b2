import { readFile } from 'node:fs/promises'
import { examine } from '../../doctor/doctor.ts'
import { addressOf, shown } from '../../doctor/site.ts'
import type { Site } from '../../doctor/site.ts'
import { wholeNumber } from '../arguments.ts'
import { command } from '../command.ts'
import type { Environment, Writer } from '../command.ts'
import { findingLines, headLine, lastLine, paintFor } from '../doctor-lines.ts'
import { CommandError, exitCodes, UsageError } from '../exit.ts'
import { writeJson } from '../terminal.ts'

const SECOND = 1000
const HOUR = 3600

export const doctor = command({
  name: 'doctor',
  summary: 'check a deployed server, through whatever lies between',
  usage: '<url>',
  operands: { min: 1, max: 1 },
  about: `Asks the server at this address what its clients will ask, and says what on the way is wrong: streams that
are held back, cut off or compressed, answers that are kept for others, requests and errors that do not
arrive as they were sent, TLS, HTTP/2, clocks. Says which line of nginx, HAProxy, Caddy, Apache or Varnish
mends it. Takes about as long as a long poll, half a minute; --idle 0 leaves the waiting out.

It writes nothing there and reads no document. The token goes to this host only, follows no redirect and is
never printed; as an argument ps shows it, so rather give it as POCKET_TOKEN or in a file.
Ends with 0 if the server is healthy, with 1 if there is a problem, with 69 if nothing listens there.`,
  options: {
    token: { type: 'string', value: '<text>', env: 'POCKET_TOKEN', summary: 'whom to ask as' },
    'token-file': { type: 'string', value: '<path>', summary: 'file that holds the token' },
    origin: { type: 'string', value: '<origin>', summary: 'try CORS as a page of it does: https://app.example' },
    idle: { type: 'string', value: '<seconds>', summary: 'hold a stream so long (longer than a heartbeat); 0: do not' },
    timeout: { type: 'string', value: '<seconds>', default: '10', summary: 'how long an answer may take' },
    ca: { type: 'string', value: '<path>', summary: 'authorities of your own to believe, PEM' },
    json: { type: 'boolean', summary: 'one JSON object per line and finding' }
  },

  async run ({ options, operands, env, stdout, stderr, signal, now }) {
    const { origin, idle, json } = options
    const site: Site = {
      url: urlOf(operands[0]!),
      token: await tokenOf(options, env),
      ca: options.ca === undefined ? undefined : await textOf('--ca', options.ca),
      timeoutMs: wholeNumber('--timeout', options.timeout, { min: 1, max: HOUR }) * SECOND,
      signal,
      now
    }
    if (origin !== undefined && !/^[a-z][a-z0-9+.-]*:\/\/[^/\s]+$/i.test(origin)) throw new UsageError('--origin is scheme and host, as browsers send it: https://app.example')
    const paint = paintFor(stdout, env)
    const wait = waiting(json ? null : stdout)
    if (!json) await stdout.write(headLine(shown(site.url), paint))
    const outcome = await examine(site, {
      origin: origin ?? null,
      idleMs: idle === undefined ? undefined : wholeNumber('--idle', idle, { max: 24 * HOUR }) * SECOND,
      onWait: wait.begin,
      async tell (told) {
        await wait.end()
        if (json) await writeJson(stdout, JSON.stringify(told))
        else await stdout.write(findingLines(told, paint))
      }
    })
    await wait.end()
    if (signal.aborted) {
      await stderr.write('pocket-server: stopped before the end, so this says nothing about the rest\n')
      return exitCodes.failed
    }
    if (json) await writeJson(stdout, JSON.stringify({ healthy: outcome.problems === 0, ...outcome }))
    else await stdout.write(lastLine(outcome, paint))
    return outcome.problems === 0 ? exitCodes.ok : outcome.reached ? exitCodes.failed : exitCodes.address
  }
})

function urlOf (text: string): URL {
  try {
    return addressOf(text)
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** @throws UsageError, CommandError naming the option, never the token */
async function tokenOf ({ token, 'token-file': file }: { token: string | undefined, 'token-file': string | undefined }, env: Environment): Promise<string | undefined> {
  if (file !== undefined && token !== undefined && token !== env['POCKET_TOKEN']) throw new UsageError('both --token and --token-file are given: leave one out')
  const found = file === undefined ? token : (await textOf('--token-file', file)).trim()
  if (found !== undefined && !/^[\x21-\x7e]+$/.test(found)) throw new UsageError('the token is empty or holds what no token can: spaces, line ends, letters beyond ASCII')
  return found
}

async function textOf (option: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new CommandError('log', `cannot read the file of ${option}: ${(error as Error).message}`, error)
  }
}

/** Says on a terminal what is waited for, and takes it back. */
function waiting (stdout: Writer | null): { begin: (ms: number) => Promise<void>, end: () => Promise<void> } {
  let isShown = false
  return {
    async begin (ms) {
      if (stdout?.isTerminal !== true || ms < SECOND) return
      isShown = true
      await stdout.write(`  … bearing silence for ${Math.ceil(ms / SECOND)} s (--idle 0 leaves it out)`)
    },
    async end () {
      if (isShown) await stdout!.write('\r\u001b[K')
      isShown = false
    }
  }
}
