import type { MoveProgress } from '../../changelog/move.ts'
import { copyLog } from '../../copy.ts'
import { command, type World } from '../command.ts'
import { exitCodes } from '../exit.ts'
import { jsonOption } from '../log.ts'
import { maskedPlace } from '../masked.ts'
import { onFiles } from '../on-files.ts'
import { ProgressBar } from '../progress.ts'
import { count, counted, harmless, writeJson } from '../terminal.ts'

/** How often a line is written where there is no terminal, ms. */
const EVERY = 10_000

const plurals = { entry: 'entries', identity: 'identities', channel: 'channel rows', push: 'push records', journal: 'journal rows' } as const

export const copy = command({
  name: 'copy',
  summary: 'copy the whole log to another store',
  usage: '<from> <to>',
  operands: { min: 2, max: 2 },
  about: `Copies the log with every kept version, its epochs, identities, records of pushes, channels and journal, so
that clients go on where they were: end all nodes, copy, start them with the new --db. Both places are named
as --db takes them; a new or empty one is the target, and it cannot be served until all is there. What was
cut short, even by a kill, goes on with the same command, or begins anew if the source was served since. The
source stays as it is. Hashes of the audit chain stay with the source, and a new chain begins: from file to
file use backup, which takes them along. Copies one log: where each tenant has its own, one tenant at a time.`,
  options: {
    tenant: { type: 'string', value: '<name>', summary: 'whose log, where each tenant has its own' },
    json: jsonOption
  },

  async run ({ options, operands, ...world }) {
    const [from, to] = operands as [string, string]
    const line = new CopyLine(world)
    const { signal, stdout, stderr } = world
    try {
      const { taken, facts, resumed, already } = await onFiles(() => copyLog(from, to, { tenant: options.tenant, signal, onProgress: progress => line.at(progress) }))
      await line.end()
      if (options.json) await writeJson(stdout, JSON.stringify({ from: maskedPlace(from), to: maskedPlace(to), head: facts.head, resumed, already, taken }))
      else await stdout.write(readable({ from, to, taken, head: facts.head, resumed, already }))
      return exitCodes.ok
    } catch (error) {
      await line.end()
      if (!signal.aborted) throw error
      await stderr.write('pocket-server: stopped before the end; the same command goes on, and until then the target cannot be served\n')
      return exitCodes.failed
    }
  }
})

/** A bar of the entries, then a counter of each other kind; without a terminal a line now and then. */
class CopyLine {
  readonly #world: World
  #bar: ProgressBar
  #kind: MoveProgress['kind'] = 'entry'
  #told: number

  constructor (world: World) {
    this.#world = world
    this.#bar = new ProgressBar(plurals.entry, world)
    this.#told = world.now()
  }

  async at ({ kind, sequence, head, taken }: MoveProgress): Promise<void> {
    if (kind === null) return
    if (kind !== this.#kind) {
      await this.#bar.end()
      this.#bar = new ProgressBar(plurals[kind], this.#world)
      this.#kind = kind
    }
    await this.#bar.at(kind === 'entry' ? sequence : taken[kind], kind === 'entry' ? head : 0, taken[kind])
    const { stderr, now } = this.#world
    if (stderr.isTerminal || now() - this.#told < EVERY) return
    this.#told = now()
    await stderr.write(`copied ${count(taken[kind])} ${plurals[kind]}${kind === 'entry' ? `, up to sequence ${sequence} of ${head}` : ''}\n`)
  }

  async end (): Promise<void> {
    await this.#bar.end()
  }
}

function readable ({ from, to, taken, head, resumed, already }: { from: string, to: string, head: number, already: boolean } & Pick<MoveProgress, 'taken' | 'resumed'>): string {
  const kinds = Object.keys(plurals) as Array<keyof typeof plurals>
  const copied = kinds.map(kind => counted(taken[kind], plurals[kind].replace(/ies$/, 'y').replace(/s$/, ''), plurals[kind])).join(', ')
  const source = harmless(maskedPlace(from))
  return `${already ? 'already copied' : `copied ${copied}${resumed ? ' (on top of what had come before)' : ''}`}: ${harmless(maskedPlace(to))} holds the whole log up to sequence ${head}
Start all nodes with it as --db: clients go on where they were. Serve ${source} no more: what is written there from now on is missing here.
The audit chain begins anew: keep ${source} for what was sealed there.
`
}
