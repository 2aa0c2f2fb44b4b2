/** HELPER: this server from the build, with rules of access, over a log in a file that it fills first. */
import { documentText } from './documents.ts'
import { READER, SECRET, tokenOf, WRITER } from './tokens.ts'

export interface AccessServer {
  readonly db: string
  /** `known`: users and no rule; `limited`: the same with rate limits that nobody meets; `authorize` sync or async, by the owner of a document; `channels`, one for each owner; `jwt` alone, or before `authorize`. */
  readonly rules: 'none' | 'known' | 'limited' | 'authorize' | 'async' | 'channels' | 'jwt' | 'jwt and authorize'
  readonly documents: number
  /** They own the documents in turn. */
  readonly owners: readonly string[]
}

const { PocketServer, SqliteChangeLog } = await import(new URL('../../dist/src/index.js', import.meta.url).href) as typeof import('../../src/index.ts')

const ownerOf = (document: { owner?: string }): string => document.owner ?? READER
const may = (user: { id: string }, _collection: string, _operation: string, document: { owner?: string }): boolean => user.id === WRITER || ownerOf(document) === user.id
const authenticate = (token: string) => ({ id: token })

const options = {
  none: {},
  known: { authenticate },
  limited: { authenticate, rateLimit: { requestsPerMinute: 1e9, requestsPerMinutePerAddress: 1e9, changesPerMinute: 1e9 } },
  authorize: { authenticate, authorize: may },
  async: { authenticate, authorize: async (...asked: Parameters<typeof may>) => may(...asked) },
  channels: { authenticate, channels: (_: string, document: object) => [ownerOf(document)], channelsOf: (user: { id: string }) => [user.id] },
  jwt: { jwt: { secret: SECRET } },
  'jwt and authorize': { jwt: { secret: SECRET }, authorize: may }
} as const

const BATCH = 1000

async function fill (url: string, { owners, documents, rules }: AccessServer): Promise<void> {
  for (let from = 0; from < documents; from += BATCH) {
    const changes = Array.from({ length: Math.min(BATCH, documents - from) }, (_, index) => {
      const id = `d${from + index}`
      return `{"operation":"insert","documentId":"${id}","document":{"owner":"${owners[(from + index) % owners.length]!}",${documentText(id, 0, from).slice(1)},"timestamp":${Date.now()}}`
    })
    const response = await fetch(`${url}/sync/push`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${rules.startsWith('jwt') ? tokenOf(WRITER) : WRITER}` },
      body: `{"type":"push","id":"fill-${from}","timestamp":${Date.now()},"collection":"todos","changes":[${changes.join(',')}],"checkpoint":{"global":0}}`
    })
    const { success } = await response.json() as { success?: boolean }
    if (success !== true) throw new Error(`a document could not be written: ${response.status}`)
  }
}

const asked = JSON.parse(process.argv[2]!) as AccessServer
const pocket = new PocketServer({ changeLog: new SqliteChangeLog(asked.db), rateLimit: false, ...options[asked.rules] })
const { url, port } = await pocket.listen(0)
await fill(url, asked)
process.send!({ port })
process.on('disconnect', () => process.exit())
