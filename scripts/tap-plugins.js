// tap builds itself with the plugins that package.json names when it starts, but runs that first time without them:
// every file of a fresh clone's first run would be compiled twice.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const tap = createRequire(import.meta.url).resolve('tap/package.json').replace(/package\.json$/, 'dist/esm/run.mjs')
const built = createRequire(tap).resolve('@tapjs/test/package.json').replace(/package\.json$/, 'test-built/dist/esm/index.js')
if (readFileSync(built, 'utf8').includes('@tapjs/typescript')) {
  process.exit(spawnSync(process.execPath, [tap, 'build'], { stdio: ['ignore', 'ignore', 'inherit'] }).status ?? 1)
}
