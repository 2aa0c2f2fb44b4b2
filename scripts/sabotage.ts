/**
 * `npm run sabotage [word…]`: breaks each promise on purpose, one after the other, each in a copy of the tree, and
 * demands that the test named for it turns red. With words, only sabotages whose text has one of them.
 */
import { spawn } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Sabotage } from '../test/sabotage/sabotage.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const workers = 2
const limitMs = 300_000
/** Of what a file said that did not start. */
const LAST_LINES = 5

export interface Verdict {
  readonly red: boolean
  /** A file that did not even start says nothing of its tests. */
  readonly ran: boolean
  readonly why: string
}

/** The text with the sabotage in it. @throws Error when its place is not there exactly once */
export function applied (text: string, { file, find, replace }: Sabotage): string {
  const count = text.split(find).length - 1
  if (count !== 1) throw new Error(`${file} has the text to replace ${count} times, not once: ${find}`)
  if (find === replace) throw new Error('the sabotage changes nothing')
  return text.replace(find, () => replace)
}

/** Red only if a test with the title failed: a file that cannot even start proves nothing. */
export function judge (output: string, { title }: Sabotage): Verdict {
  const lines = output.split('\n').map((line) => /^ *(not ok|ok) \d+ - (.*)$/.exec(line)).filter((match) => match !== null)
  const about = lines.filter(([, , name = '']) => name.startsWith(title))
  if (about.length === 0) return { red: false, ran: false, why: `no test "${title}…" was run: ${output.trim().split('\n').slice(-LAST_LINES).join(' / ')}` }
  if (about.every(([, , name = '']) => / # SKIP/.test(name))) return { red: false, ran: true, why: 'the test was skipped' }
  return about.some(([, result]) => result === 'not ok') ? { red: true, ran: true, why: '' } : { red: false, ran: true, why: 'the test passed all the same' }
}

export async function load (): Promise<Sabotage[]> {
  const folder = join(root, 'test/sabotage')
  const names = (await readdir(folder)).filter((name) => name.endsWith('.ts') && name !== 'sabotage.ts').sort()
  const modules = await Promise.all(names.map(async (name) => await import(pathToFileURL(join(folder, name)).href) as { sabotages: Sabotage[] }))
  return modules.flatMap(({ sabotages }) => sabotages)
}

async function copyTree (): Promise<string> {
  const tree = await mkdtemp(join(tmpdir(), 'pocket-sabotage-'))
  const skip = new Set(['node_modules', '.git', '.tap'])
  await cp(root, tree, { recursive: true, filter: (path) => !skip.has(basename(path)) })
  await symlink(join(root, 'node_modules'), join(tree, 'node_modules'))
  return tree
}

function run (command: readonly string[], cwd: string, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  // A process group of its own, so that what a broken test leaves behind ends with it.
  const child = spawn(process.execPath, command, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const end = (): void => { try { process.kill(-child.pid!, 'SIGKILL') } catch {} }
  const timer = setTimeout(end, limitMs)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { output += text })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', () => { clearTimeout(timer); end(); resolve(output) })
  })
}

/** The built program is what system tests start; type errors of the sabotage are no matter. */
async function rebuild (tree: string, file: string): Promise<void> {
  const { default: ts } = await import('typescript')
  const { config } = ts.readConfigFile(join(tree, 'tsconfig.json'), path => ts.sys.readFile(path)) as { config: { compilerOptions: object } }
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, tree)
  const { outputText } = ts.transpileModule(await readFile(join(tree, file), 'utf8'), { compilerOptions: options, fileName: file })
  await writeFile(join(tree, 'dist', file.replace(/\.ts$/, '.js')), outputText)
}

async function attempt (tree: string, sabotage: Sabotage): Promise<Verdict> {
  const path = join(tree, sabotage.file)
  const original = await readFile(path, 'utf8')
  try {
    await writeFile(path, applied(original, sabotage))
    if (sabotage.test.startsWith('test/system/')) await rebuild(tree, sabotage.file)
    // Without tap's runner, which takes longer to start than most of these tests take; without tsx where Node strips types.
    const loader = (process.features as { typescript?: unknown }).typescript ? [] : ['--import', 'tsx']
    if ((await readFile(join(tree, sabotage.test), 'utf8')).includes("'fast-check'")) loader.push('--import', './scripts/first-counterexample.ts')
    const env = { ...process.env, TAP_TIMEOUT: '300', TAP_GREP: `^${sabotage.title.replace(/[^\w ]/g, '.')}` }
    const verdict = async (): Promise<Verdict> => judge(await run([...loader, sabotage.test], tree, env), sabotage)
    const first = await verdict()
    // Somebody else may have had the port of a server that it starts.
    return first.ran ? first : await verdict()
  } catch (error) {
    return { red: false, ran: false, why: String(error) }
  } finally {
    await writeFile(path, original)
    if (sabotage.test.startsWith('test/system/')) await rebuild(tree, sabotage.file)
  }
}

async function main (words: readonly string[]): Promise<void> {
  const all = await load()
  const queue = words.length === 0 ? all : all.filter((one) => words.some((word) => JSON.stringify(one).includes(word)))
  const total = queue.length
  let green = 0
  const work = async (): Promise<void> => {
    const tree = await copyTree()
    for (let sabotage = queue.shift(); sabotage !== undefined; sabotage = queue.shift()) {
      const began = performance.now()
      const { red, why } = await attempt(tree, sabotage)
      const took = `${((performance.now() - began) / 1000).toFixed(1)} s`.padStart(7)
      if (!red) green++
      console.log(red ? `red         ${took}  ${sabotage.breaks}` : `STILL GREEN ${took}  ${sabotage.breaks}\n             ${sabotage.test}: ${why}`)
    }
    await rm(tree, { recursive: true })
  }
  await Promise.all(Array.from({ length: Math.min(workers, total) }, work))
  console.log(`${total - green} red, ${green} still green`)
  if (green > 0 || total === 0) process.exitCode = 1
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await main(process.argv.slice(2))
