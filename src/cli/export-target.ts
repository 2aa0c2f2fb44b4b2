/** Where an export goes: a stream, or a file, of which as much is kept as an earlier run has left whole. */
import { createReadStream } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import type { LogView } from '../changelog/view.ts'
import type { World, Writer } from './command.ts'
import { CommandError } from './exit.ts'
import { asFooter, asHeader, type Header } from './export-file.ts'
import { linesOf, type Line } from './lines.ts'
import { ProgressBar } from './progress.ts'
import { harmlessLines } from './terminal.ts'

type Facts = Pick<Header, 'epoch' | 'head' | 'collection'>

export interface Target {
  readonly name: string
  readonly header: Facts
  /** Its first line is there. */
  readonly begun: boolean
  /** Sequence of the last document that is there. */
  readonly position: number
  readonly documents: number
  /** Nothing is left to write. */
  readonly whole: boolean
  readonly resumable: boolean
  write (text: string): Promise<void>
  sync (): Promise<void>
  close (): Promise<void>
}

export function streamTarget (writer: Writer, fresh: Facts): Target {
  return {
    name: 'stdout',
    header: fresh,
    begun: false,
    position: 0,
    documents: 0,
    whole: false,
    resumable: false,
    write: text => writer.write(writer.isTerminal ? harmlessLines(text) : text),
    async sync () {},
    async close () {}
  }
}

interface FileOptions {
  readonly view: LogView
  readonly fresh: Facts
  readonly world: World
}

/** @throws CommandError when the file is something else, of another log, or cannot be written */
export async function fileTarget (name: string, { view, fresh, world }: FileOptions): Promise<Target> {
  const file = await told(name, open(name, 'a+'))
  try {
    const found = await whatIsThere(name, file, world)
    if (found.header !== null) await assertGoesOn(name, { found: found.header, view, fresh })
    // Half a line, and documents as they were after the moment of the export, are written anew.
    if (!found.whole) await told(name, file.truncate(found.end))
    return {
      name,
      header: found.header ?? fresh,
      begun: found.header !== null,
      position: found.position,
      documents: found.documents,
      whole: found.whole,
      resumable: true,
      write: async text => { await told(name, file.appendFile(text)) },
      sync: async () => { await told(name, file.sync()) },
      close: async () => { await file.close() }
    }
  } catch (error) {
    await file.close()
    throw error
  }
}

interface Found {
  header: Header | null
  position: number
  documents: number
  whole: boolean
  /** Bytes that are kept. */
  end: number
}

async function whatIsThere (name: string, file: FileHandle, world: World): Promise<Found> {
  const { size } = await file.stat()
  const found: Found = { header: null, position: 0, documents: 0, whole: false, end: 0 }
  if (size === 0) return found
  const bar = new ProgressBar('verify', world)
  for await (const line of linesOf(createReadStream(name))) {
    if (!take(name, line, found)) break
    if (line.number % 1000 === 0) await bar.at(line.end, size)
  }
  await bar.end()
  return found
}

/** @returns whether what follows is of use */
function take (name: string, line: Line, found: Found): boolean {
  const value = parsed(line)
  if (found.header === null) {
    found.header = asHeaderOf(name, value)
    // A first line cut short: what has not begun begins.
    if (found.header === null && line.ended) throw foreign(name)
  } else if (asFooter(value) !== null) {
    found.whole = true
  } else {
    const { sequence } = (value ?? {}) as { sequence?: unknown }
    if (typeof sequence !== 'number' || sequence <= found.position || sequence > found.header.head) return false
    found.position = sequence
    found.documents++
  }
  if (found.header === null) return false
  found.end = line.end
  return !found.whole
}

function parsed ({ bytes, ended }: Line): unknown {
  if (bytes === null || !ended) return undefined
  try {
    return JSON.parse(bytes.toString())
  } catch {
    return undefined
  }
}

function asHeaderOf (name: string, value: unknown): Header | null {
  try {
    return asHeader(value)
  } catch (error) {
    throw new CommandError('log', `${name}: ${(error as Error).message}`, error)
  }
}

function foreign (name: string): CommandError {
  return new CommandError('log', `${name} is there already and no export: name another file`)
}

async function assertGoesOn (name: string, { found, view, fresh }: { found: Header, view: LogView, fresh: Facts }): Promise<void> {
  const epochs = await view.epochs()
  const index = epochs.findIndex(({ id }) => id === found.epoch)
  const end = (epochs[index + 1]?.first ?? fresh.head + 1) - 1
  if (index < 0 || found.head > end) throw new CommandError('log', `${name} was begun with another log, or before this one was restored: name another file`)
  if (found.collection !== fresh.collection) {
    throw new CommandError('log', `${name} was begun ${found.collection === null ? 'with all collections' : `with the collection ${found.collection}`}: name another file, or the same collection`)
  }
}

async function told<T> (name: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw new CommandError('log', `cannot write ${name}: ${(error as Error).message}; what is written stays, and the same command goes on`, error)
  }
}
