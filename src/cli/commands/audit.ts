import type { EntryFacts, Operation } from '../../changelog/changelog.ts'
import type { AuditQuery, LogView, Proof } from '../../changelog/view.ts'
import { oneOf, wholeNumber } from '../arguments.ts'
import { command, type Writer } from '../command.ts'
import { CommandError, exitCodes, UsageError } from '../exit.ts'
import { dbOption, jsonOption, withView } from '../log.ts'
import { ProgressBar } from '../progress.ts'
import { counted, harmless, time, writeJson } from '../terminal.ts'

const operations = ['insert', 'update', 'delete'] as const satisfies readonly Operation[]

const filters = {
  user: { type: 'string', value: '<id>', summary: 'only by this user' },
  collection: { type: 'string', value: '<name>', summary: 'only in this collection' },
  document: { type: 'string', value: '<id>', summary: 'only of this document' },
  client: { type: 'string', value: '<id>', summary: 'only from this client' },
  address: { type: 'string', value: '<address>', summary: 'only from this address' },
  operation: { type: 'string', value: '<name>', summary: 'only insert, update or delete' },
  since: { type: 'string', value: '<time>', summary: 'only from this time on: 2026-01-31, 2026-01-31T12:00 (UTC), or ms since 1970' },
  until: { type: 'string', value: '<time>', summary: 'only before this time' },
  limit: { type: 'string', value: '<n>', summary: 'only the newest n' }
} as const

export const audit = command({
  name: 'audit',
  summary: 'list who changed what, when and from where, or prove it',
  usage: '[list | verify]',
  operands: { min: 0, max: 1 },
  about: `list (or nothing) prints every entry without its document, newest first: when, what, and by which user,
client and address. verify computes the audit chain anew: it says how many entries are as they were sealed, and ends
with 1 at the first break. Whoever can write the file can forge the whole chain: only a hash that you wrote down
elsewhere (from verify, or the server's log) shows that, with --expect. Both work while a server uses the log.`,
  options: {
    db: dbOption,
    ...filters,
    expect: { type: 'string', value: '<hash>', summary: 'with verify: the chain must lead through this hash' },
    json: jsonOption
  },

  async run ({ options, operands, stdout, stderr, signal, now }) {
    const task = oneOf('what to do', operands[0] ?? 'list', ['list', 'verify'])
    const { db, json, expect } = options
    if (task === 'list') {
      if (expect !== undefined) throw new UsageError('--expect goes with audit verify')
      const query = queryOf(options)
      const limit = options.limit === undefined ? Infinity : wholeNumber('--limit', options.limit, { min: 1 })
      return await withView(db, view => list(view, { query, limit, stdout, json, signal }))
    }
    const given = Object.keys(filters).find(name => options[name as keyof typeof filters] !== undefined)
    if (given !== undefined) throw new UsageError(`audit verify looks at the whole log: it takes no --${given}`)
    if (expect !== undefined && !/^[0-9a-f]{64}$/.test(expect)) throw new UsageError(`--expect is a hash of 64 hexadecimal digits, not "${expect}"`)
    return await withView(db, async view => {
      const proof = await proofOf(view, expect ?? null, { bar: new ProgressBar('verify', { stderr, now }), signal })
      if (json) await writeJson(stdout, JSON.stringify(proof))
      else await stdout.write(`${readable(view, proof)}\n`)
      return proof.broken === null ? exitCodes.ok : exitCodes.failed
    })
  }
})

type Given = Readonly<Partial<Record<keyof typeof filters, string | undefined>>>

function queryOf ({ user, collection, document, client, address, operation, since, until }: Given): AuditQuery {
  return {
    ...user !== undefined && { userId: user },
    ...collection !== undefined && { collection },
    ...document !== undefined && { documentId: document },
    ...client !== undefined && { clientId: client },
    ...address !== undefined && { address },
    ...operation !== undefined && { operation: oneOf('--operation', operation, operations) },
    ...since !== undefined && { since: timeOf('--since', since) },
    ...until !== undefined && { until: timeOf('--until', until) }
  }
}

/** ms since 1970 */
function timeOf (name: string, text: string): number {
  if (/^\d{1,16}$/.test(text)) return wholeNumber(name, text)
  const [, day, clock = '', zone = ''] = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(text) ?? []
  const ms = Date.parse(clock === '' ? `${day}` : `${day}T${clock}${zone === '' ? 'Z' : zone}`)
  if (Number.isNaN(ms)) throw new UsageError(`${name} is a time like 2026-01-31, 2026-01-31T12:00 or ms since 1970, not "${text}"`)
  return ms
}

interface Listing {
  readonly query: AuditQuery
  readonly limit: number
  readonly stdout: Writer
  readonly json: boolean
  readonly signal: AbortSignal
}

async function list (view: LogView, { query, limit, stdout, json, signal }: Listing): Promise<number> {
  let left = limit
  for await (const page of view.audit(query)) {
    for (const facts of page.slice(0, left)) {
      if (json || !stdout.isTerminal) await writeJson(stdout, factsJson(facts))
      else await stdout.write(`${factsLine(facts)}\n`)
    }
    left -= page.length
    if (left <= 0 || signal.aborted) break
    await new Promise(setImmediate)
  }
  return exitCodes.ok
}

function factsJson ({ sequence, serverTimestamp, operation, collection, documentId, userId, clientId, address, timestamp, effectiveTime, rev, previous, exact, hash }: EntryFacts): string {
  return JSON.stringify({ sequence, serverTimestamp, operation, collection, documentId, userId, clientId, address, timestamp, effectiveTime, rev, previous, exact, hash: Buffer.from(hash).toString('hex') })
}

function factsLine ({ sequence, serverTimestamp, operation, collection, documentId, userId, clientId, address }: EntryFacts): string {
  return harmless(`${String(sequence).padStart(8)}  ${time(serverTimestamp)}  ${operation}  ${collection}/${documentId}  user ${userId ?? '-'}  client ${clientId ?? '-'}  from ${address ?? '-'}`)
}

async function proofOf (view: LogView, expected: string | null, { bar, signal }: { bar: ProgressBar, signal: AbortSignal }): Promise<Proof> {
  const proving = view.prove(expected)
  for (let step = await proving.next(); ; step = await proving.next()) {
    if (step.done === true) {
      await bar.end()
      return step.value
    }
    if (signal.aborted) throw new CommandError('failed', 'stopped before the end, so this proves nothing')
    await bar.at(step.value.done, step.value.total)
    await new Promise(setImmediate)
  }
}

/** One line, or where it breaks also what to do. */
function readable ({ path }: LogView, { entries, dropped, unnamed, unsealed, newest, broken }: Proof): string {
  const name = harmless(path)
  if (broken !== null) {
    const place = broken.block === null ? 'the audit chain' : `block ${broken.block} of the audit chain`
    const held = newest === null ? 'nothing before it' : `up to sequence ${newest.sequence} (block ${newest.block}, hash ${newest.hash})`
    return `${name}: ${place} is broken: ${harmless(broken.problem)}\n    proven is ${broken.block === null ? 'only that it holds together' : held}; compare with a backup of which verify is satisfied, and restore that`
  }
  if (newest === null) return `${name}: nothing is sealed yet; ${counted(unsealed, 'entry', 'entries')} ${unsealed === 1 ? 'waits' : 'wait'} for the server to seal ${unsealed === 1 ? 'it' : 'them'}`
  const rest = [`${counted(dropped, 'dropped', 'dropped')} since`, ...unnamed === 0 ? [] : [`${counted(unnamed, 'without its writer', 'without their writers')}`], `${counted(unsealed, 'not sealed yet', 'not sealed yet')}`]
  return `${name}: ${counted(entries, 'entry is as it was', 'entries are as they were')} sealed, in ${counted(newest.block, 'block')} up to sequence ${newest.sequence}, hash ${newest.hash} (${rest.join(', ')})`
}
