/** Whether a large push gets through. */
import { problemCode, words } from './answer.ts'
import { ask, type Heard } from './ask.ts'
import { note, ok, problem } from './finding.ts'
import type { Finding } from './finding.ts'
import type { Site } from './site.ts'

/** Beyond nginx's own limit of 1 MiB, and what a device that was offline for a day may well send. */
const DOCUMENTS = 24
const DOCUMENT_BYTES = 64 * 2 ** 10

/** No message of any version of the protocol, without an id: refused whole, whatever it holds, and nothing is written. */
export async function pushLarge (site: Site): Promise<Heard> {
  const body = JSON.stringify({ type: 'pocket-doctor', changes: Array.from({ length: DOCUMENTS }, () => ({ document: { pad: '-'.repeat(DOCUMENT_BYTES) } })) })
  return await ask(site, { path: '/sync/push', method: 'POST', body, timeoutMs: site.timeoutMs * 2 })
}

export function largePush (heard: Heard): Finding {
  const code = problemCode(heard)
  if (code === 'invalid_message') return ok('large push', '1.5 MiB get through')
  if (code === 'too_large') return note('large push', 'the server itself takes less than 1.5 MiB in a message')
  if (code !== null) return note('large push', `the server refused it: ${code}`)
  const text = heard.status === 413 ? 'something on the way refuses 1.5 MiB' : `1.5 MiB are answered ${words(heard)}`
  return problem('large push', `${text}: who was offline for long cannot push`, { remedy: 'body-size' })
}
