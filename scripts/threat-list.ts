import { titles } from '../test/repo/promises.ts'
import { files } from '../test/repo/sources.ts'

/** What the tests of test/security try, as SECURITY.md lists it. */
export function threatList (): string {
  return files(['test/security'], /\.test\.ts$/).map((source) => {
    const threats = titles(source).map((title) => `- ${title.replace(/^threat: /, '').replace(/^./, (first) => first.toUpperCase())}`)
    return `**[${source.path.replace(/^test\/security\/|\.test\.ts$/g, '')}](${source.path})**\n\n${threats.join('\n')}`
  }).join('\n\n')
}
