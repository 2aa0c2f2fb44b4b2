/** Writes openapi.yaml from the routes and the schemas: `npx tsx scripts/openapi.ts`. */
import { writeFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { resolveConfig } from '../src/config.ts'
import { describeServer } from '../src/http/app.ts'
import { toYaml } from '../src/http/reference.ts'
import { version } from '../src/server.ts'

/** The whole text of openapi.yaml. */
export async function renderOpenapi (): Promise<string> {
  return await toYaml(await describeServer({ config: resolveConfig(), version }))
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await writeFile(new URL('../openapi.yaml', import.meta.url), await renderOpenapi())
}
