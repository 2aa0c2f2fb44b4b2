import { readFile } from 'node:fs/promises'
import ts from 'typescript'
import { defaultLimits, defaultRetention } from '../src/config.ts'
import { defaultRateLimit } from '../src/edge.ts'

/** The first JSDoc comment of each named member, in order: of an object literal or an interface. */
function comments (text: string, declaration: string): Map<string, string> {
  const file = ts.createSourceFile('config.ts', text, ts.ScriptTarget.ESNext, true)
  const found = new Map<string, string>()
  const visit = (node: ts.Node, within: boolean): void => {
    const here = within || ((ts.isVariableDeclaration(node) || ts.isInterfaceDeclaration(node)) && node.name.getText() === declaration)
    if (here && (ts.isPropertyAssignment(node) || ts.isPropertySignature(node))) {
      const doc = ts.getJSDocCommentsAndTags(node).find(ts.isJSDoc)
      const comment = ts.getTextOfJSDocComment(doc?.comment)
      if (comment === undefined) throw new Error(`${declaration}.${node.name.getText()} has no comment to put into the README`)
      found.set(node.name.getText(), comment.replace(/\s+/g, ' ').replaceAll('|', '\\|'))
      return
    }
    ts.forEachChild(node, (child) => visit(child, here))
  }
  visit(file, false)
  return found
}

const units: ReadonlyArray<readonly [RegExp, ReadonlyArray<readonly [number, string]>]> = [
  [/Bytes$/, [[2 ** 20, 'MiB'], [2 ** 10, 'KiB'], [1, 'bytes']]],
  [/Ms$/, [[1000, 's'], [1, 'ms']]],
  [/^(pushes|history|tombstones|journal)$/, [[86_400_000, 'days']]]
]

/** A value as people say it, e.g. "16 MiB". */
export function spoken (name: string, value: number): string {
  const scale = units.find(([fits]) => fits.test(name))?.[1] ?? [[1, '']] as const
  const [size, word] = scale.find(([size]) => value % size === 0) ?? [1, '']
  return `${(value / size).toLocaleString('en-US')} ${word}`.trim()
}

function defaultsTable (defaults: Readonly<Record<string, number>>, comments: ReadonlyMap<string, string>, head: string): string {
  const rows = Object.entries(defaults).map(([name, value]) => `| \`${name}\` | ${spoken(name, value)} | ${comments.get(name) ?? ''} |`)
  return [head, '| --- | --- | --- |', ...rows].join('\n')
}

/** The README's tables of options, limits and retention, as the source has them. */
export async function optionTables (): Promise<string> {
  const source = (name: string): Promise<string> => readFile(new URL(`../src/${name}`, import.meta.url), 'utf8')
  const text = await source('config.ts')
  const edge = await source('edge.ts')
  const options = [...comments(await source('access.ts'), 'AccessOptions'), ...comments(edge, 'EdgeOptions'), ...comments(text, 'PocketServerOptions')].map(([name, comment]) => `| \`${name}\` | ${comment} |`)
  return [
    ['| option | meaning |', '| --- | --- |', ...options].join('\n'),
    defaultsTable(defaultLimits, comments(text, 'defaultLimits'), '| `limits.…` | default | what it stops, or bounds |'),
    defaultsTable(defaultRateLimit, comments(edge, 'defaultRateLimit'), '| `rateLimit.…` | default | what it stops, and counts |'),
    defaultsTable(defaultRetention, comments(text, 'defaultRetention'), '| `retention.…` | default | what is kept that long |')
  ].join('\n\n')
}
