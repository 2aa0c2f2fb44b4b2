import { get, type ClientRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Test } from 'tap'
import { createClient } from '../../src/client/client.ts'
import { framesOf } from '../support/feed.ts'
import { post, pushOf, startApp } from '../support/app.ts'

/** Longer than anything takes on a busy machine. */
async function until (what: string, condition: () => boolean): Promise<void> {
  for (const start = Date.now(); !condition(); await sleep(10)) if (Date.now() - start > 20_000) throw new Error(`never came: ${what}`)
}

interface Page { changes: Record<string, Array<{ operation: string, documentId: string, document: { n: number } | null }>>, hasMore: boolean }

/** A stream over a real socket, with every byte of it. */
class Listener {
  readonly user: string
  readonly chunks: Buffer[] = []
  /** Of the connections before this one, up to their last whole frame. */
  readonly #before: Buffer[] = []
  readonly #url: string
  #request: ClientRequest

  constructor (url: string, user: string) {
    this.user = user
    this.#url = url
    this.#request = this.#connect('0')
  }

  #connect (lastEventId: string): ClientRequest {
    const request = get(`${this.#url}/sync/stream`, { agent: false, headers: { authorization: `Bearer ${this.user}`, 'last-event-id': lastEventId } }, response => {
      response.on('data', (chunk: Buffer) => this.chunks.push(chunk)).on('error', () => {})
    })
    return request.on('error', () => {})
  }

  reconnect (): void {
    this.close()
    const lastId = framesOf(Buffer.concat(this.chunks)).findLast(({ id }) => id !== undefined)?.id
    this.#before.push(...this.chunks.splice(0))
    this.#request = this.#connect(lastId ?? '0')
  }

  close (): void {
    this.#request.destroy()
  }

  get bytes (): Buffer {
    return Buffer.concat([...this.#before, ...this.chunks])
  }

  /** What a client that went through all of it holds. */
  get held (): string[] {
    const documents = new Map<string, number>()
    let marked: Set<string> | null = null
    for (const { event, data } of [this.#before, this.chunks].flatMap(chunks => framesOf(Buffer.concat(chunks)))) {
      if (event === 'resync') marked = new Set(documents.keys())
      if (event !== 'message') continue
      const { changes, hasMore } = JSON.parse(data) as Page
      for (const { operation, documentId, document } of changes['todos'] ?? []) {
        marked?.delete(documentId)
        if (operation === 'delete') documents.delete(documentId)
        else documents.set(documentId, document!.n)
      }
      if (hasMore) continue
      for (const id of marked ?? []) documents.delete(id)
      marked = null
    }
    return [...documents].map(([id, n]) => `${id}=${n}`).sort()
  }
}

const people = ['ann', 'bob', 'cat']

/** Documents belong to one of three users, and say so in every byte that is not for others. */
class Scene {
  readonly url: string
  readonly documents = new Map<string, { owner: string, n: number }>()
  #n = 0

  constructor (url: string) {
    this.url = url
  }

  async write (t: Test, documentId: string, owner: string | null): Promise<void> {
    const n = ++this.#n
    const change = owner === null ? { documentId, operation: 'delete' } : { documentId, operation: 'update', document: { owner, n, text: `canary-of-${owner}-${n}` } }
    const { json } = await post(`${this.url}/sync/push`, pushOf('todos', [change]), { authorization: 'Bearer writer' })
    t.equal(json.success, true)
    if (owner === null) this.documents.delete(documentId)
    else this.documents.set(documentId, { owner, n })
  }

  of (user: string): string[] {
    return [...this.documents].filter(([, { owner }]) => owner === user).map(([id, { n }]) => `${id}=${n}`).sort()
  }
}

const rules = {
  authorize: { authorize: (user: any, _: string, operation: string, document: any) => user.id === 'writer' || (operation === 'read' && document.owner === user.id) },
  channels: { channels: (_: string, document: any) => [`of:${document.owner}`], channelsOf: async (user: any) => user.id === 'writer' ? people.map(owner => `of:${owner}`) : [`of:${user.id}`] }
}

for (const [title, access] of Object.entries(rules)) {
  t.test(`promise 6 (Private): over sixty sockets of three users, whatever moves among them, no byte is another's: ${title}`, async t => {
    const { url, pocket } = await startApp(t, { authenticate: token => ({ id: token }), ...access })
    const scene = new Scene(url)
    for (let i = 0; i < 6; i++) await scene.write(t, `d${i}`, people[i % 3]!)
    const listeners = Array.from({ length: 60 }, (_, i) => new Listener(url, people[i % 3]!))
    t.teardown(() => listeners.forEach(listener => listener.close()))
    await until('sixty streams', () => pocket.getClients().length === 60)
    for (let i = 0; i < 60; i++) {
      await scene.write(t, `d${i % 7}`, i % 11 === 10 ? null : people[(i * 5 + Math.floor(i / 7)) % 3]!)
      if (i % 4 === 0) listeners[i]!.reconnect()
    }
    for (const listener of listeners) {
      const wanted = JSON.stringify(scene.of(listener.user))
      await until(`${listener.user} holds ${wanted}`, () => JSON.stringify(listener.held) === wanted)
    }
    for (const { user, bytes } of listeners) {
      const others = people.filter(other => other !== user).filter(other => bytes.includes(`canary-of-${other}`))
      if (others.length > 0 || !bytes.includes(`canary-of-${user}`)) t.fail(`${user} was sent what is ${others.join()}'s`)
    }
    t.same(new Set(pocket.getClients().map(({ userId }) => userId)), new Set(people))
    // What is sent last, positions alone, may still be on its way.
    await until('nobody is behind', () => pocket.getClients().every(({ behind, bytesSent }) => behind === 0 && bytesSent > 0))
  })
}

t.test('promise 5 (Live is pull): a client whose credential is renewed five times under writes misses nothing', async t => {
  const lifeMs = 700
  let tokens = 0
  const seen = new Set<string>()
  const authenticate = (token: string) => {
    const [name, until] = token.split('.')
    if (!(Number(until) > Date.now())) return null
    seen.add(token)
    return { id: name, exp: Number(until) / 1000 }
  }
  const { url } = await startApp(t, { authenticate })
  let current = ''
  const refused: string[] = []
  const token = (old?: string): string => {
    if (old !== undefined) refused.push(old)
    if (current === '' || old === current) current = `ann.${Date.now() + lifeMs + ++tokens}`
    return current
  }
  const reader = createClient({ baseUrl: url, token })
  const writer = createClient({ baseUrl: url, token: () => `bob.${Date.now() + 60_000}` })
  const stop = new AbortController()
  let written = 0
  const writing = (async () => {
    for (; !stop.signal.aborted; await sleep(15)) await writer.push({ collection: 'todos', changes: [{ operation: 'insert', documentId: `d${written++}`, document: {} }] })
  })()
  const got: number[] = []
  const byes: string[] = []
  for await (const event of reader.stream({ collections: ['todos'] })) {
    if (event.type === 'bye') byes.push(event.reason)
    if (event.type === 'bye' && byes.length === 5) stop.abort()
    if (event.type === 'pull-response') for (const { sequence } of event.changes['todos'] ?? []) got.push(sequence)
    if (stop.signal.aborted) await writing
    if (stop.signal.aborted && got.length >= written) break
  }
  t.same(new Set(byes), new Set(['token-expired']))
  t.ok(byes.length >= 5 && tokens >= 6 && refused.length >= 5, `${byes.length} goodbyes, ${tokens} tokens, asked anew for ${refused.length}`)
  t.same(got, Array.from({ length: written }, (_, i) => i + 1), 'every change once, in order')
  t.ok(seen.size >= 6)
})

t.test('promise 5 (Live is pull): a client that comes back with a checkpoint of its pulls goes on from there, also under rights', async t => {
  const { url } = await startApp(t, { authenticate: token => ({ id: token }), ...rules.channels })
  const scene = new Scene(url)
  await scene.write(t, 'a', 'ann')
  const client = createClient({ baseUrl: url, token: () => 'ann' })
  const { checkpoint, epoch } = await client.pull({ collections: ['todos'] })
  await scene.write(t, 'b', 'ann')
  const types: string[] = []
  for await (const event of client.stream({ collections: ['todos'], checkpoint, epoch })) {
    types.push(event.type)
    if (event.type === 'pull-response') {
      t.same(event.changes['todos']!.map(({ documentId }) => documentId), ['b'])
      break
    }
  }
  t.same(types, ['hello', 'pull-response'])
})
