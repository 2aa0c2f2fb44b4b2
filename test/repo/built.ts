import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { files, root } from './sources.ts'

/** Builds dist when it is older than its sources, so that a single test file can be run by itself. */
export function build (): void {
  const target = new URL('dist/src/index.js', root)
  const newest = Math.max(...files(['src', 'schema']).map(({ path }) => statSync(new URL(path, root)).mtimeMs))
  if (existsSync(target) && statSync(target).mtimeMs > newest) return
  spawnSync(process.execPath, [fileURLToPath(new URL('node_modules/typescript/bin/tsc', root))], { cwd: root, stdio: 'ignore' })
}
