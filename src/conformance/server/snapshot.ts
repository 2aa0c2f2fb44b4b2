/** Where new clients begin: all live documents, whole or known to be cut short. */
import assert from 'node:assert/strict'
import { fresh, promise, put, where, type Answer, type Promised, type Speaker } from './harness.ts'

interface Line {
  readonly type: string
  readonly documentId?: string
  readonly document?: any
  readonly sequence: number
  readonly epoch: string
  readonly checkpoint: { readonly global: number, readonly scope?: string }
}

interface Snapshot {
  readonly answer: Answer
  readonly first: Line
  readonly documents: readonly Line[]
  readonly last: Line
}

async function snapshot (speaker: Speaker, collection: string, { query = '', headers = {} }: { query?: string, headers?: Readonly<Record<string, string>> } = {}): Promise<Snapshot> {
  const answer = await speaker.ask({ path: `/sync/snapshot?collections=${collection}${query}`, headers })
  assert.equal(answer.status, 200, answer.text.slice(0, 300))
  const lines = answer.text.trimEnd().split('\n').map(line => JSON.parse(line) as Line)
  assert.equal(lines.at(-1)!.type, 'snapshot-end', 'it is whole')
  return { answer, first: lines[0]!, documents: lines.filter(({ type }) => type === 'document'), last: lines.at(-1)! }
}

function idsOf ({ documents }: Snapshot): string[] {
  return documents.map(({ documentId }) => documentId!)
}

const ownPromises: readonly Promised[] = [
  promise('promise 4 (Safe checkpoints): a snapshot holds what lives, each once, and a pull goes on from its last line', async ({ alice, collection }) => {
    const [kept, deleted] = put(2)
    const { results } = await alice.push([kept!, deleted!])
    await alice.push([{ documentId: deleted!.documentId, operation: 'delete', document: null, base: results[1].sequence }])
    const taken = await snapshot(alice, collection)
    const sequences = taken.documents.map(({ sequence }) => sequence)
    assert.deepEqual(sequences, [...new Set(sequences)].sort((a, b) => a - b))
    assert.deepEqual([kept!, deleted!].map(({ documentId }) => idsOf(taken).includes(documentId)), [true, false])
    const [late] = put(1)
    await alice.push([late!])
    const { checkpoint, epoch } = taken.last
    assert.deepEqual((await alice.pullAll({ checkpoint, epoch })).map(({ documentId }) => documentId), [late!.documentId])
  }),

  promise('snapshot: one that was cut short goes on behind the last line that came', async ({ alice, collection }) => {
    await alice.push(put(20))
    const whole = await snapshot(alice, collection)
    const came = whole.documents.length - 12
    const { epoch, checkpoint: { global, scope } } = whole.first
    const after = `${whole.documents[came - 1]!.sequence}~e${epoch}${scope === undefined ? '' : `~c${scope}`}~s${global}`
    const rest = await snapshot(alice, collection, { query: `&after=${after}` })
    assert.deepEqual(idsOf(rest), idsOf(whole).slice(came))
    assert.deepEqual(rest.last.checkpoint, whole.last.checkpoint)
  }),

  promise('snapshot: coded it is what it is plain', async ({ alice, collection }) => {
    await alice.push(put(20, { text: 'x'.repeat(200) }))
    const plain = await snapshot(alice, collection)
    const coded = await snapshot(alice, collection, { headers: { 'accept-encoding': 'gzip' } })
    assert.deepEqual([plain, coded].map(({ answer }) => answer.headers.get('content-encoding')), [undefined, 'gzip'])
    assert.deepEqual(coded.documents, plain.documents)
  })
]

const privatePromises: readonly Promised[] = [
  promise('promise 6 (Private): nobody is served a snapshot that was answered to another', async ({ alice, bob, nobody, collection, users }) => {
    const owns = users![0].owns
    const [secret] = put(1, owns)
    await alice.push([secret!])
    const hers = await snapshot(alice, collection)
    assert.ok(idsOf(hers).includes(secret!.documentId))
    assert.match(hers.answer.headers.get('cache-control') ?? '', /^private\b/)
    const path = `/sync/snapshot?collections=${collection}`
    for (const headers of [{}, { authorization: 'Bearer nobodys.token.atall' }, { cookie: 'a=b' }]) assert.equal((await nobody.ask({ path, headers })).status, 401)
    if (owns !== undefined) assert.ok(!idsOf(await snapshot(bob, collection)).includes(secret!.documentId))
  })
]

const publicPromises: readonly Promised[] = [
  promise('snapshot: of what is public it is everybody\'s, for who shows a token it is made anew', async ({ alice, nobody, publicCollection }) => {
    await alice.push(put(3), publicCollection)
    const query = `&r=${fresh('r')}`
    const shared = await snapshot(nobody, publicCollection!, { query })
    assert.match(shared.answer.headers.get('cache-control') ?? '', /^public\b/)
    const [late] = put(1)
    await alice.push([late!], publicCollection)
    const hers = await snapshot(alice, publicCollection!, { query })
    assert.match(hers.answer.headers.get('cache-control') ?? '', /^private\b/)
    assert.ok(idsOf(hers).includes(late!.documentId))
    // Kept or not, a pull leads on from there.
    const again = await snapshot(nobody, publicCollection!, { query })
    const { epoch, checkpoint } = again.last
    const rest = await alice.pullAll({ collections: [publicCollection], checkpoint, epoch })
    assert.ok([...idsOf(again), ...rest.map(({ documentId }) => documentId)].includes(late!.documentId))
  })
]

export const snapshotPromises: readonly Promised[] = [
  ...where(({ info }) => info.features.includes('snapshot'), ownPromises),
  ...where(({ info, options: { users } }) => users !== undefined && info.features.includes('snapshot'), privatePromises),
  ...where(({ info, options: { users, publicCollection } }) => users !== undefined && publicCollection !== undefined && info.features.includes('snapshot'), publicPromises)
]
