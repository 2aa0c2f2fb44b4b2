import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import ts from 'typescript'

export const root = new URL('../../', import.meta.url)

export interface Source {
  /** From the root of the repository, with "/". */
  readonly path: string
  readonly text: string
}

export interface Import {
  readonly from: string
  /** A path from the root for a relative import, else the name of the package or "node:…". */
  readonly to: string
  readonly typeOnly: boolean
  readonly dynamic: boolean
}

export function read (path: string): string {
  return readFileSync(new URL(path, root), 'utf8')
}

/** All files under the folders whose path fits. */
export function files (folders: readonly string[], fits = /\.ts$/): Source[] {
  return folders
    .flatMap((folder) => readdirSync(new URL(`${folder}/`, root), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => posix.join(entry.parentPath.replaceAll('\\', '/').slice(root.pathname.length), entry.name)))
    // What bench/peers has installed is not ours.
    .filter((path) => fits.test(path) && !path.includes('/node_modules/'))
    .sort()
    .map((path) => ({ path, text: read(path) }))
}

export function parse ({ path, text }: Source): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true)
}

/** Calls `visit` for every node of the tree, parents first. */
export function walk (node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node)
  ts.forEachChild(node, (child) => walk(child, visit))
}

function target (from: string, specifier: string): string {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(from), specifier)
  if (specifier.startsWith('node:')) return specifier
  return specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
}

function allTypes (node: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly
  const clause = node.importClause
  if (clause === undefined) return false
  if (clause.isTypeOnly) return true
  const named = clause.namedBindings
  return clause.name === undefined && named !== undefined && ts.isNamedImports(named) &&
    named.elements.length > 0 && named.elements.every((element) => element.isTypeOnly)
}

function dynamicTarget (node: ts.Node): ts.Node | undefined {
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return node.argument.literal
  if (!ts.isCallExpression(node)) return undefined
  const callee = node.expression
  const loads = callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require')
  return loads ? node.arguments[0] : undefined
}

/** Every static, re-exporting, dynamic and type import of a file. */
export function importsOf (source: Source): Import[] {
  const found: Import[] = []
  const add = (specifier: ts.Node, typeOnly: boolean, dynamic: boolean): void => {
    if (ts.isStringLiteralLike(specifier)) found.push({ from: source.path, to: target(source.path, specifier.text), typeOnly, dynamic })
  }
  walk(parse(source), (node) => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
      add(node.moduleSpecifier, allTypes(node), false)
    }
    const late = dynamicTarget(node)
    if (late !== undefined) add(late, ts.isImportTypeNode(node), true)
  })
  return found
}
