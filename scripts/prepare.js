// Runs after `npm ci`, so that `npm start` finds a built program. With `--omit=dev` there is no compiler:
// then the program was built before, or came built in the package.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'

let compiler
try {
  compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc')
} catch {
  process.exit(0)
}
process.exit(spawnSync(process.execPath, [compiler], { stdio: 'inherit' }).status ?? 1)
