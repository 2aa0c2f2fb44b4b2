import t from 'tap'
import { createClient, SyncProblem, type ClientOptions } from '../../src/client/client.ts'
import { startApp } from '../support/app.ts'

const quick = { timing: { backoffMs: 1, backoffMaxMs: 5 } }

/** Tokens of one user, each good until it is `ended`, or for as long as it is made for. */
class Issuer {
  readonly #ends = new Map<string, number>()
  readonly asked: Array<string | undefined> = []
  newest = ''

  issue (seconds = 300): string {
    this.newest = `token-${this.#ends.size}`
    this.#ends.set(this.newest, Date.now() / 1000 + seconds)
    return this.newest
  }

  end (token: string): void {
    this.#ends.set(token, 0)
  }

  readonly authenticate = (token: string): object | null => {
    const exp = this.#ends.get(token) ?? 0
    return exp > Date.now() / 1000 ? { id: 'ann', exp } : null
  }

  /** What an app does: it keeps its token until it is told that it is refused. */
  tokenFor (seconds?: number): NonNullable<ClientOptions['token']> {
    let kept = this.issue(seconds)
    return refused => {
      this.asked.push(refused)
      if (refused === kept) kept = this.issue(seconds)
      return kept
    }
  }
}

t.test('a push or pull with a token that is over gets a new one, once, and takes effect once', async t => {
  const issuer = new Issuer()
  const { url } = await startApp(t, { authenticate: issuer.authenticate })
  const client = createClient({ baseUrl: url, ...quick, token: issuer.tokenFor() })
  issuer.end('token-0')
  const { results } = await client.push({ collection: 'todos', changes: [{ operation: 'insert', documentId: 'a', document: {} }] })
  t.match(results, [{ status: 'applied', sequence: 1 }])
  t.strictSame(issuer.asked, [undefined, 'token-0'])
  issuer.end('token-1')
  t.match(await client.pull({ collections: ['todos'] }), { changes: { todos: [{ documentId: 'a' }] } })
  const stuck = createClient({ baseUrl: url, ...quick, token: () => 'wrong' })
  await t.rejects(stuck.pull({ collections: ['todos'] }), { constructor: SyncProblem, code: 'invalid_token', status: 401 })
  await t.rejects(createClient({ baseUrl: url, ...quick }).pull({ collections: ['todos'] }), { code: 'not_authenticated' })
})

t.test('a stream ends with its token, and the client goes on with a new one without losing or repeating a change', async t => {
  const issuer = new Issuer()
  const { url } = await startApp(t, { authenticate: issuer.authenticate })
  const writer = createClient({ baseUrl: url, ...quick, token: () => long })
  const long = issuer.issue()
  const reader = createClient({ baseUrl: url, ...quick, token: issuer.tokenFor(2) })
  const sequences: number[] = []
  let written = 0
  let expired = 0
  const write = async (): Promise<void> => { await writer.push({ collection: 'todos', changes: [{ operation: 'insert', documentId: `d${++written}`, document: {} }] }) }
  for await (const event of reader.stream({ collections: ['todos'] })) {
    if (event.type === 'hello') await write()
    if (event.type === 'bye') {
      t.equal(event.reason, 'token-expired')
      expired++
      await write()
    }
    if (event.type === 'disconnected') t.fail(event.error.message)
    if (event.type === 'pull-response') for (const { sequence } of event.changes['todos'] ?? []) sequences.push(sequence)
    if (expired >= 2 && sequences.length === written) break
  }
  t.strictSame(sequences, Array.from({ length: written }, (_, index) => index + 1))
  t.ok(written >= 4)
})

t.test('a stream whose token is refused for good ends with what the server says', async t => {
  const { url } = await startApp(t, { authenticate: () => null })
  const asked: Array<string | undefined> = []
  const client = createClient({ baseUrl: url, ...quick, token: refused => { asked.push(refused); return 'wrong' } })
  await t.rejects(client.stream({ collections: ['todos'] }).next(), { code: 'invalid_token' })
  t.strictSame(asked, [undefined, 'wrong'])
})
