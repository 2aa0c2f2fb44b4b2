/** The types of `src/client/`, from openapi.yaml. */
import openapiTS, { astToString } from 'openapi-typescript'

const header = '/** Made from openapi.yaml by `npm run generate`: do not edit. */\n'

/** The whole text of `src/client/generated.ts` as openapi.yaml has it now. */
export async function renderClientTypes (): Promise<string> {
  return header + astToString(await openapiTS(new URL('../openapi.yaml', import.meta.url)))
}
