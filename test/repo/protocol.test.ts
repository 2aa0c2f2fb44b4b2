import { createHash } from 'node:crypto'
import t from 'tap'
import { PROTOCOL_VERSION } from '../../schema/version.ts'
import { files, read, root } from './sources.ts'

/**
 * What the schemas were, newest last. When this test fails, the wire has changed: if an old client or server
 * could misread the new one, raise PROTOCOL_VERSION with a line of history; in any case add a line here.
 */
const history: ReadonlyArray<{ readonly protocol: number, readonly digest: string, readonly change: string }> = [
  { protocol: 1, digest: '4b42443be2258ebe5c276e414f0bba95', change: 'push, pull, stream' },
  { protocol: 1, digest: '645202253d64f4a3fb4d3a0941bc3e92', change: 'says when a result carries a document' },
  { protocol: 1, digest: 'ea89cd86144c4844607e3bf90e7fdb51', change: 'history: a message more' },
  { protocol: 1, digest: 'dc5db1988278357767654f38fe5cb923', change: 'says which results a client takes over' },
  { protocol: 1, digest: '0f2d42c2d016192ecd1db3ca13b82292', change: 'the number of changes of a push is the server\'s to say' },
  { protocol: 1, digest: '96c5ac7e02ca3f638e347bab1f731c38', change: 'access: the digest of rights and where a catch-up began in a checkpoint, tickets for streams' },
  { protocol: 1, digest: 'b0b634a3d13c076d26a77ff519279a07', change: 'snapshots: a message more, in lines' },
  { protocol: 1, digest: '9bf9c3fc5e405a2026d22438fac322c7', change: 'between pages a checkpoint names the head that they were read under' }
]

/** SHA-256 over every schema that the modules export, by name: comments and order do not count, the wire does. */
function digest (modules: ReadonlyMap<string, Readonly<Record<string, unknown>>>): string {
  const parts = [...modules].sort(([a], [b]) => a < b ? -1 : 1).flatMap(([file, exports]) => Object.keys(exports).sort()
    .filter((name) => name !== 'PROTOCOL_VERSION' && typeof exports[name] !== 'function')
    .map((name) => `${file} ${name} ${JSON.stringify(exports[name])}`))
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 32)
}

async function wire (): Promise<Map<string, Record<string, unknown>>> {
  const modules = new Map<string, Record<string, unknown>>()
  for (const { path } of files(['schema'])) modules.set(path, await import(new URL(path, root).href) as Record<string, unknown>)
  return modules
}

t.test('the wire does not change unawares: its digest is pinned beside the protocol version', async (t) => {
  const newest = history.at(-1)
  t.equal(digest(await wire()), newest?.digest, 'the schemas are those of the newest line of the history')
  t.equal(PROTOCOL_VERSION, newest?.protocol)
})

t.test('every protocol version has its line of history', async (t) => {
  const text = read('schema/version.ts')
  for (let version = 1; version <= PROTOCOL_VERSION; version++) t.match(text, new RegExp(`^ \\* ${version}: \\S`, 'm'))
  t.strictSame([...new Set(history.map(({ protocol }) => protocol))], Array.from({ length: PROTOCOL_VERSION }, (_, index) => index + 1))
})

t.test('a new member, a new limit and a new message each change the digest', async (t) => {
  const base = (): Map<string, Record<string, unknown>> => new Map([['schema/a.ts', { A: { type: 'object', properties: { x: { type: 'string', maxLength: 1 } } } }]])
  const before = digest(base())
  t.equal(digest(base()), before)
  t.not(digest(new Map([['schema/a.ts', { A: { type: 'object', properties: { x: { type: 'string', maxLength: 2 } } } }]])), before)
  t.not(digest(base().set('schema/b.ts', { B: {} })), before)
})
