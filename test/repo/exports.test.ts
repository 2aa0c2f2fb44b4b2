import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'
import { build } from './built.ts'
import { parse, read, root } from './sources.ts'

/** What applications may rely on. A name that goes is a break; a new one is a promise. */
const names = {
  values: ['MemoryChangeLog', 'MemoryPubSub', 'PocketServer', 'PostgresChangeLog', 'PostgresPubSub', 'RedisChangeLog', 'RedisPubSub', 'SqliteChangeLog', 'SyncError', 'catalogue'],
  types: ['AccessVersion', 'AuditEvent', 'AuditStore', 'Authenticate', 'Authorize', 'Backup', 'BackupOptions', 'BackupProgress', 'BackupStore', 'ChangeEntry', 'ChangeLog', 'ChangeStore', 'Channels', 'ChannelsOf', 'CollectionOptions', 'CompactPolicy', 'Conflict', 'ConflictStrategy', 'Coordination', 'EraseOptions', 'Erased', 'ErasedUser', 'ErrorCode', 'History', 'HistoryQuery', 'InTenant', 'JournalQuery', 'JournalRow', 'Limits', 'Listening', 'Logger', 'Middleware', 'PocketServerOptions', 'PubSub', 'ResolveConflict', 'Result', 'Retention', 'Seal', 'ServerConfig', 'ServerHealth', 'StreamClient', 'TenantOf', 'Ticket', 'TicketStore', 'User', 'WrittenBy']
}

interface Manifest {
  bin: Record<string, string>
  main: string
  types: string
  exports: Record<string, string | Record<string, string>>
}

const manifest = JSON.parse(read('package.json')) as Manifest

function paths ({ bin, main, types, exports }: Manifest): string[] {
  const exported = Object.values(exports).flatMap((target) => typeof target === 'string' ? [target] : Object.values(target))
  return [...new Set([...Object.values(bin), main, types, ...exported])]
}

/** Names that a module exports, values and types apart. */
function exportedNames (path: string): { values: string[], types: string[] } {
  const found = { values: [] as string[], types: [] as string[] }
  for (const statement of parse({ path, text: read(path) }).statements) {
    if (!ts.isExportDeclaration(statement) || statement.exportClause === undefined || !ts.isNamedExports(statement.exportClause)) continue
    for (const element of statement.exportClause.elements) {
      (statement.isTypeOnly || element.isTypeOnly ? found.types : found.values).push(element.name.text)
    }
  }
  return { values: found.values.sort(), types: found.types.sort() }
}

function node (...args: string[]): string {
  return execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
}

t.before(build)

t.test('every path that package.json names is there after a build, and is packed', async (t) => {
  t.strictSame(paths(manifest).filter((path) => !existsSync(new URL(path, root))), [])
  const [packed] = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })) as [{ files: Array<{ path: string }> }]
  const inside = packed.files.map(({ path }) => path)
  t.strictSame(paths(manifest).map((path) => path.replace(/^\.\//, '')).filter((path) => !inside.includes(path)), [])
  t.strictSame(inside.filter((path) => /^(src|test|scripts|bench)\/|\.db$/.test(path)), [], 'and nothing that only developers need')
})

t.test('every export can be imported by the name of the package', async (t) => {
  const modules = Object.entries(manifest.exports).filter(([, target]) => typeof target !== 'string').map(([path]) => path.replace(/^\./, '@pocket/server'))
  const script = `for (const name of ${JSON.stringify(modules)}) { const all = await import(name); console.log(name, Object.keys(all).length > 0) }`
  t.strictSame(node('--input-type=module', '-e', script).trim().split('\n'), modules.map((name) => `${name} true`))
})

t.test('the public names of the package are those that are pinned here', async (t) => {
  t.strictSame(exportedNames('src/index.ts'), names)
  const keys = JSON.parse(node('--input-type=module', '-e', "console.log(JSON.stringify(Object.keys(await import('@pocket/server')).sort()))")) as string[]
  t.strictSame(keys, names.values)
})

t.test('the program says its version, the one of the package', async (t) => {
  const { version } = JSON.parse(read('package.json')) as { version: string }
  t.match(node(fileURLToPath(new URL(manifest.bin['pocket-server'] ?? '', root)), '--version'), version)
})
