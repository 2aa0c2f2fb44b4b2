import type { Finding, Progress } from '../../changelog/view.ts'
import { command } from '../command.ts'
import { exitCodes } from '../exit.ts'
import { dbOption, jsonOption, withView } from '../log.ts'
import { ProgressBar } from '../progress.ts'
import { counted, harmless, writeJson } from '../terminal.ts'

export const check = command({
  name: 'check',
  summary: 'look for damage in the log',
  usage: '',
  operands: { min: 0, max: 0 },
  about: `Looks at the whole file, the checksums of every entry, that each document's head is its newest entry,
that the versions of a document form a chain, at sequences, epochs, the horizon and channel rows. Says of
all that is wrong where it is and what to do, and ends with 1 if there is anything. Changes nothing, and
works while a server uses the log; its WAL grows meanwhile.`,
  options: { db: dbOption, json: jsonOption },

  async run ({ options, stdout, stderr, signal, now }) {
    return await withView(options.db, async view => {
      const bar = new ProgressBar('check', { stderr, now })
      const tell = (found: Finding) => options.json ? writeJson(stdout, JSON.stringify(found)) : stdout.write(`${readable(found)}\n`)
      let findings = 0
      for await (const step of view.check()) {
        if (signal.aborted) return await stopped(bar, stderr)
        if (isProgress(step)) {
          await bar.at(step.done, step.total)
          await new Promise(setImmediate)
          continue
        }
        await bar.end()
        await tell(step)
        findings++
      }
      await bar.end()
      if (!options.json) await stdout.write(findings === 0 ? `${harmless(view.path)} is whole: nothing wrong up to sequence ${await view.head()}\n` : `\n${counted(findings, 'finding')} in ${harmless(view.path)}\n`)
      return findings === 0 ? exitCodes.ok : exitCodes.failed
    })
  }
})

async function stopped (bar: ProgressBar, stderr: { write: (text: string) => Promise<void> }): Promise<number> {
  await bar.end()
  await stderr.write('pocket-server: stopped before the end, so this says nothing about the rest\n')
  return exitCodes.failed
}

function isProgress (step: Progress | Finding): step is Progress {
  return 'done' in step
}

function readable ({ about, sequence, collection, documentId, problem, advice }: Finding): string {
  const place = [about, ...sequence === null ? [] : [String(sequence)], ...documentId === null ? [] : [`${collection ?? '?'}/${documentId}`]]
  return `${harmless(place.join(' '))}: ${harmless(problem)}\n    ${harmless(advice)}`
}
