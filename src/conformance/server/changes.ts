/** Reads by URL: kept where that does no harm, never another's, never older than their headers allow. */
import assert from 'node:assert/strict'
import { changesOf } from './events.ts'
import { fresh, promise, put, where, type Answer, type Promised, type Speaker } from './harness.ts'
import { until, within } from './time.ts'

interface Place { readonly checkpoint: { global: number, scope?: string, snapshot?: number, head?: string }, readonly epoch: string }

function since ({ checkpoint: { global, scope, snapshot, head }, epoch }: Place): string {
  return `${global}~e${epoch}${scope === undefined ? '' : `~c${scope}`}${snapshot === undefined ? '' : `~s${snapshot}`}${head === undefined ? '' : `~h${head}`}`
}

/** Parameters in alphabetical order, as clients are asked to send them. */
function urlOf (collection: string, query: Readonly<Record<string, string>> = {}): string {
  const parameters = new URLSearchParams(Object.entries({ collections: collection, ...query }).sort(([a], [b]) => a < b ? -1 : 1))
  return `/sync/changes?${parameters}`
}

async function get (speaker: Speaker, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const answer = await speaker.ask({ path, headers })
  assert.ok([200, 304].includes(answer.status), `${path}: ${answer.status} ${answer.text.slice(0, 200)}`)
  return answer
}

function cacheControl ({ headers }: Answer): string {
  return headers.get('cache-control') ?? ''
}

function idsOf ({ json }: Answer): string[] {
  return changesOf(json).filter(({ operation }) => operation !== 'delete').map(({ documentId }) => documentId)
}

/** How long an answer may be served after it was made, s. */
function mayBeKept (answer: Answer): number {
  const directives = [...cacheControl(answer).matchAll(/(?:max-age|stale-while-revalidate)=(\d+)/g)]
  return directives.reduce((total, [, seconds]) => total + Number(seconds), 0)
}

/** Pages by URL until there are no more. */
async function pages (speaker: Speaker, collection: string, limit: number): Promise<Array<{ path: string, answer: Answer }>> {
  const read: Array<{ path: string, answer: Answer }> = []
  for (let place = '0', more = true; more;) {
    const path = urlOf(collection, { limit: String(limit), since: place })
    const answer = await get(speaker, path)
    read.push({ path, answer })
    place = since(answer.json)
    more = answer.json.hasMore
  }
  return read
}

const ownPromises: readonly Promised[] = [
  promise('changes: an answer is confirmed by its ETag until there is something new, which comes at once', async ({ alice, collection }) => {
    const path = urlOf(collection, { since: since(await alice.head()) })
    const first = await get(alice, path)
    assert.match(cacheControl(first), /^private\b|^public\b/)
    const etag = first.headers.get('etag')
    assert.ok(etag !== undefined, 'there is an ETag')
    assert.equal((await get(alice, path, { 'if-none-match': etag })).status, 304)
    const [change] = put(1)
    await alice.push([change!])
    for (const headers of [{}, { 'if-none-match': etag }]) {
      const { status, json } = await get(alice, path, headers)
      assert.equal(status, 200, 'nothing stale')
      assert.ok(changesOf(json).some(({ documentId }) => documentId === change!.documentId), 'nothing stale')
    }
  }),

  promise('changes: codings are kept apart, each confirmed by the ETag it came with', async ({ alice, collection }) => {
    const place = since(await alice.head())
    await alice.push(put(20, { text: 'x'.repeat(200) }))
    const path = urlOf(collection, { since: place })
    const [coded, plain, again] = [await get(alice, path, { 'accept-encoding': 'gzip' }), await get(alice, path), await get(alice, path, { 'accept-encoding': 'gzip' })]
    assert.deepEqual([plain.headers.get('content-encoding'), coded.headers.get('content-encoding')], [undefined, 'gzip'])
    assert.equal(plain.text, coded.text)
    assert.equal(again.text, coded.text)
    for (const [answer, headers] of [[plain, {}], [coded, { 'accept-encoding': 'gzip' }]] as const) {
      assert.equal((await get(alice, path, { ...headers, 'if-none-match': answer.headers.get('etag')! })).status, 304)
    }
  }),

  promise('changes: a refusal is not kept', async ({ alice, collection }) => {
    for (const [query, status] of [[{ since: 'x' }, 400], [{ since: '1~enobodysepoch' }, 410]] as const) {
      const answer = await alice.ask({ path: urlOf(collection, query) })
      assert.equal(answer.status, status)
      assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/)
      assert.match(cacheControl(answer), /no-store/)
    }
  })
]

const waitPromises: readonly Promised[] = [
  promise('changes: polls that wait are answered when there is something, all at once, and not kept', async ({ alice, bob, collection }) => {
    const path = urlOf(collection, { since: since(await alice.head()), wait: '20' })
    const polls = Promise.all(Array.from({ length: 4 }, () => get(bob, path)))
    polls.catch(() => {})
    await within(10_000, 'requests beside waiting polls are answered', () => alice.head())
    const [change] = put(1)
    await alice.push([change!])
    for (const answer of await within(10_000, 'every poll is answered', () => polls)) {
      assert.ok(idsOf(answer).includes(change!.documentId))
      assert.match(cacheControl(answer), /no-store/)
    }
  })
]

const privatePromises: readonly Promised[] = [
  promise('promise 6 (Private): nobody is served what was answered to another, nor has it confirmed', async ({ alice, bob, nobody, collection, users }) => {
    const path = urlOf(collection, { since: since(await alice.head()) })
    assert.equal((await nobody.ask({ path })).status, 401)
    const owns = users![0].owns
    const [secret] = put(1, owns)
    await alice.push([secret!])
    const hers = await get(alice, path)
    assert.ok(idsOf(hers).includes(secret!.documentId))
    assert.match(cacheControl(hers), /^private\b/)
    const etag = hers.headers.get('etag')!
    for (const headers of [{}, { 'if-none-match': etag }, { authorization: 'Bearer nobodys.token.atall' }, { cookie: 'a=b' }]) {
      const { status, text } = await nobody.ask({ path, headers })
      assert.equal(status, 401)
      assert.ok(!text.includes(secret!.documentId))
    }
    if (owns === undefined) return
    for (const headers of [{}, { 'if-none-match': etag }]) {
      const his = await get(bob, path, headers)
      assert.equal(his.status, 200)
      assert.ok(!idsOf(his).includes(secret!.documentId))
    }
    assert.ok(idsOf(await get(alice, path)).includes(secret!.documentId))
  })
]

const publicPromises: readonly Promised[] = [
  promise('changes: what is public is no older than its headers allow, for those with a token not at all', async ({ alice, nobody, publicCollection }) => {
    await alice.push(put(1), publicCollection)
    const path = urlOf(publicCollection!, { since: since(await alice.head()) })
    const first = await get(nobody, path)
    assert.match(cacheControl(first), /^public\b/)
    const [change] = put(1)
    await alice.push([change!], publicCollection)
    const hers = await get(alice, path)
    assert.ok(idsOf(hers).includes(change!.documentId), 'who shows a token is answered by the server')
    assert.match(cacheControl(hers), /^private\b/)
    const allowed = (mayBeKept(first) + 2) * 1000
    await until(allowed, 'what is new is served', async () => idsOf(await get(nobody, path)).includes(change!.documentId) || undefined)
  }),

  promise('promise 4 (Safe checkpoints): kept pages of what is public lead to all of it, however old they are', async ({ alice, nobody, publicCollection }) => {
    const written = put(12).map(({ documentId }) => documentId)
    await alice.push(written.map(documentId => ({ documentId, document: {} })), publicCollection)
    // No page of a test before.
    const limit = 4 + Math.floor(Math.random() * 3)
    const all = async (): Promise<string[]> => (await pages(nobody, publicCollection!, limit)).flatMap(({ answer }) => idsOf(answer))
    const served = (id: string): Promise<true> => until(10_000, 'what is new is served', async () => (await all()).includes(id) || undefined)
    await served(written.at(-1)!)
    const [late] = put(1)
    await alice.push([late!], publicCollection)
    await served(late!.documentId)
    const replica = await all()
    assert.deepEqual(written.filter(id => !replica.includes(id)), [])
    const [first, second] = await pages(nobody, publicCollection!, limit)
    assert.match(cacheControl(second!.answer), /^public\b/)
    const again = await get(nobody, second!.path, { 'if-none-match': second!.answer.headers.get('etag')! })
    assert.equal(again.status, 304)
    assert.equal(first!.answer.json.hasMore, true)
  }),

  promise('promise 6 (Private): an answer about public collections to who shows a token is not kept for others', async ({ alice, nobody, publicCollection }) => {
    const path = `${urlOf(publicCollection!)}&r=${fresh('r')}`
    assert.match(cacheControl(await get(alice, path)), /^private\b/)
    assert.match(cacheControl(await get(nobody, path)), /^public\b/)
    assert.match(cacheControl(await get(alice, path)), /^private\b/)
    assert.match(cacheControl(await get(nobody, path, { cookie: 'a=b' })), /^private\b/)
  })
]

const has = (feature: string) => ({ info }: { info: { features: readonly string[] } }): boolean => info.features.includes(feature)

export const changesPromises: readonly Promised[] = [
  ...where(has('changes'), ownPromises),
  ...where(has('changes.wait'), waitPromises),
  ...where(({ info, options: { users } }) => users !== undefined && info.features.includes('changes'), privatePromises),
  ...where(({ info, options: { users, publicCollection } }) => users !== undefined && publicCollection !== undefined && info.features.includes('changes'), publicPromises)
]
