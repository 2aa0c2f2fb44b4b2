import { importsOf, type Import, type Source } from './sources.ts'

export interface Rule {
  /** What the rule is about; of several that fit, the first counts. */
  readonly files: RegExp
  readonly may: RegExp
  /** What may be imported for its types alone. */
  readonly types?: RegExp
  /** What may be imported only when it is needed, with import(). */
  readonly late?: RegExp
}

const ports = 'src/changelog/(audit|backup|changelog|entry|moving|networked)\\.ts|src/pubsub/pubsub\\.ts|src/coordination/coordination\\.ts'
const platform = 'node:(buffer|crypto|events|fs|fs/promises|module|path|perf_hooks|stream|stream/promises|timers|timers/promises|url|util|worker_threads|zlib)'

function only (...parts: string[]): RegExp {
  return new RegExp(`^(${parts.join('|')})$`)
}

/** The one direction: cli → server → http → sync → the ports; schema and errors lie at the bottom. */
const rules: readonly Rule[] = [
  { files: /^schema\//, may: only('schema/.*', '@sinclair/typebox') },
  { files: /^src\/errors\.ts$/, may: only('nothing') },
  { files: /^src\/audit-event\.ts$/, may: only('nothing') },
  { files: /^src\/edge\.ts$/, may: only('node:net') },
  { files: /^src\/access\.ts$/, may: only('nothing'), types: only('node:http') },
  { files: /^src\/validation\.ts$/, may: only('ajv', 'ajv/dist/2020\\.js', 'ajv-formats'), types: only('src/access\\.ts') },
  { files: /^src\/collections\.ts$/, may: only('schema/common\\.ts', 'src/validation\\.ts'), types: only('src/access\\.ts') },
  { files: /^src\/config\.ts$/, may: only('src/auth/jwt\\.ts', 'src/(access|collections|errors|edge)\\.ts'), types: only('src/audit-event\\.ts', 'src/auth/tickets\\.ts', ports) },
  { files: /^src\/auth\/jwks\.ts$/, may: only('src/auth/.*', 'src/errors\\.ts', 'jose') },
  { files: /^src\/auth\//, may: only('src/auth/.*', 'src/errors\\.ts', 'src/http/json-scanner\\.ts', 'node:(buffer|crypto|url|util)'), types: only('src/(access|config)\\.ts'), late: only('fastify', '@fastify/jwt') },
  { files: /^src\/drivers\//, may: only('src/drivers/.*', 'src/errors\\.ts', platform), late: only('pg', 'ioredis') },
  { files: /^src\/changelog\/sqlite\.ts$|^src\/changelog\/sqlite\//, may: only('src/changelog/(audit|backup|changelog|entry|moving|networked|view|sqlite)\\.ts', 'src/changelog/sqlite/.*', 'src/errors\\.ts', 'schema/.*', platform), types: only('better-sqlite3'), late: only('better-sqlite3(-napi10)?') },
  { files: /^src\/changelog\/memory/, may: only('src/changelog/(changelog|entry|moving|networked)\\.ts', 'src/changelog/memory.*', 'src/errors\\.ts', 'schema/.*', platform) },
  { files: /^src\/changelog\/plain/, may: only('src/changelog/(changelog|entry)\\.ts', 'src/changelog/(plain|memory-).*', 'src/errors\\.ts', platform) },
  { files: /^src\/changelog\/postgres/, may: only('src/changelog/(audit|changelog|entry|moving|networked|together)\\.ts', 'src/changelog/postgres.*', 'src/drivers/postgres\\.ts', 'src/errors\\.ts', 'schema/.*', platform) },
  { files: /^src\/changelog\/redis/, may: only('src/changelog/(audit|changelog|entry|moving|networked|together)\\.ts', 'src/changelog/redis.*', 'src/drivers/redis\\.ts', 'src/errors\\.ts', 'schema/.*', platform) },
  { files: /^src\/changelog\/store-/, may: only('src/changelog/(changelog|entry|moving|store-.*)\\.ts', 'src/errors\\.ts'), types: only('src/changelog/view\\.ts') },
  { files: /^src\/changelog\//, may: only('src/changelog/(audit|changelog|entry|moving|networked)\\.ts', 'src/errors\\.ts', 'schema/.*', platform), types: only('src/drivers/.*') },
  { files: /^src\/pubsub\//, may: only('src/pubsub/.*', 'src/drivers/.*', 'src/errors\\.ts', platform) },
  { files: /^src\/coordination\//, may: only('src/coordination/.*', 'src/drivers/.*', 'src/errors\\.ts', platform), types: only('src/auth/.*', 'src/changelog/networked\\.ts') },
  { files: /^src\/metrics\//, may: only('src/metrics/.*', 'prom-client') },
  { files: /^src\/sync\//, may: only('src/sync/.*', 'schema/.*', 'src/errors\\.ts', ports, 'node:(buffer|crypto|events|util)'), types: only('src/(access|audit-event|collections|config|validation)\\.ts') },
  { files: /^src\/http\//, may: only('src/http/.*', 'src/auth/.*', 'src/sync/.*', 'schema/.*', 'src/errors\\.ts', 'src/config\\.ts', ports, 'fastify', '@fastify/.*', '@scalar/fastify-api-reference', '@sinclair/typebox', 'ajv', 'yaml', 'node:http2?', 'node:net', 'node:tls', platform), types: only('src/(access|edge)\\.ts') },
  { files: /^src\/backends\.ts$/, may: only('src/config\\.ts', 'src/errors\\.ts', ports, platform), late: only('src/changelog/.*', 'src/pubsub/.*', 'src/coordination/.*', 'src/drivers/.*') },
  { files: /^src\/copy\.ts$/, may: only('src/(backends|errors)\\.ts', 'src/changelog/move\\.ts', ports) },
  { files: /^src\/(server|server-types|lifecycle|compose|local)\.ts$/, may: only('src/(compose|lifecycle|server-types|config|errors|backends)\\.ts', 'src/http/.*', 'src/auth/.*', 'src/sync/.*', 'src/pubsub/memory\\.ts', ports, 'src/metrics/.*', 'src/tenants/.*', 'schema/.*', 'fastify', 'node:http', 'node:net', platform), types: only('src/edge\\.ts'), late: only('src/changelog/.*') },
  { files: /^src\/tenants\//, may: only('src/tenants/.*', 'src/(compose|errors)\\.ts', 'src/auth/user\\.ts', 'src/http/descriptors\\.ts', 'src/sync/.*', ports, platform), types: only('src/http/services\\.ts') },
  { files: /^src\/doctor\//, may: only('src/doctor/.*', 'src/client/sse-parser\\.ts', 'schema/version\\.ts', 'node:(crypto|dns/promises|http|http2|https|net|tls)') },
  { files: /^src\/cli(\.ts$|\/)/, may: only('src/cli/.*', 'src/doctor/(doctor|site)\\.ts', 'src/auth/(jwt|mint)\\.ts', 'src/(edge|server|local|copy|access|collections|config|errors|backends)\\.ts', 'schema/.*', 'pino', 'pino-pretty', 'node:tls', platform), types: only(ports, 'src/changelog/(move|view)\\.ts', 'src/doctor/(chart|mends)\\.ts') },
  { files: /^src\/index\.ts$/, may: only('src/.*', 'schema/.*') },
  { files: /^src\/client\//, may: only('src/client/.*', 'openapi-fetch'), types: only('schema/.*') },
  { files: /^src\/conformance\/server(\.ts$|\/)/, may: only('src/conformance/server/.*', 'node:assert/strict', 'node:(crypto|events|stream|tls|zlib)', 'node:http[2s]?') },
  { files: /^src\/conformance\//, may: only('src/conformance/.*', 'src/errors\\.ts', ports, 'schema/.*', 'node:assert', 'node:assert/strict', platform) }
]

function allowed (rule: Rule, { to, typeOnly, dynamic }: Import): boolean {
  return rule.may.test(to) || (typeOnly && rule.types?.test(to) === true) || ((dynamic || typeOnly) && rule.late?.test(to) === true)
}

/** Imports against the rules, one line each. */
export function violations (sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const rule = rules.find(({ files }) => files.test(source.path))
    if (rule === undefined) return [`${source.path}: no import rule covers this file`]
    return importsOf(source)
      .filter((found) => found.to === 'src/index.ts' || !allowed(rule, found))
      .map(({ from, to, typeOnly }) => `${from}: may not import ${to}${typeOnly ? ' (not even its types)' : ''}`)
  })
}

/** Each cycle of run-time imports once, as "a → b → a". */
export function cycles (sources: readonly Source[]): string[] {
  const graph = new Map(sources.map((source) => [source.path, importsOf(source).filter(({ typeOnly }) => !typeOnly).map(({ to }) => to)]))
  const found = new Set<string>()
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at >= 0) found.add([...trail.slice(at), path].join(' → '))
    if (at >= 0 || done.has(path)) return
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return [...found]
}

/** Files of `wanted` that no file of `starts` reaches by any kind of import. */
export function unreached (sources: readonly Source[], starts: (path: string) => boolean, wanted: (path: string) => boolean): string[] {
  const graph = new Map(sources.map((source) => [source.path, importsOf(source).map(({ to }) => to)]))
  const seen = new Set<string>()
  const queue = [...graph.keys()].filter(starts)
  for (const path of queue) {
    if (seen.has(path)) continue
    seen.add(path)
    queue.push(...graph.get(path) ?? [])
  }
  return [...graph.keys()].filter((path) => wanted(path) && !seen.has(path))
}
