/** Clients that write at one node and read at others right after, with what they were answered. */
import { SseClient } from './sse-client.ts'
import { post, pullOf, pushOf, request, type Answered } from './app.ts'

interface Place { readonly checkpoint: { readonly global: number }, readonly epoch?: string }

const LANES = 8
const COLLECTION = 'own-writes'

interface Found {
  /** What was not as it was promised; empty when all was. */
  readonly broken: string[]
  readonly rounds: number
}

/** @param urls of the nodes @param rounds writes, of several clients at the same time */
export async function readOwnWrites (urls: readonly string[], rounds: number): Promise<Found> {
  const broken: string[] = []
  const lane = async (name: string): Promise<void> => {
    let place: Place = { checkpoint: { global: 0 } }
    for (let n = 0; n < rounds / LANES; n++) place = await oneWrite(urls, { place, documentId: `${name}-${n}`, note: text => broken.push(`${name}-${n}: ${text}`) })
  }
  await Promise.all(Array.from({ length: LANES }, (_, index) => lane(`client${index}`)))
  return { broken, rounds }
}

interface Write {
  /** How far the client has read. */
  readonly place: Place
  readonly documentId: string
  readonly note: (broken: string) => void
}

/** @returns how far the client has read then */
async function oneWrite (urls: readonly string[], { place, documentId, note }: Write): Promise<Place> {
  const [writer, reader, another] = shuffled(urls) as [string, string, string]
  const pushed = await post(`${writer}/sync/push`, pushOf(COLLECTION, [{ documentId }], place))
  const sequence: number = pushed.json?.results?.[0]?.sequence
  if (sequence === undefined) {
    note(`not taken: ${pushed.text}`)
    return place
  }
  const page = await pulled(reader, place, note)
  if (!ids(page).includes(documentId)) note(`the pull after it has older data: ${page.text}`)
  const told: Place = { checkpoint: page.json.checkpoint, epoch: page.json.epoch }
  if (told.checkpoint.global < sequence) note(`${told.checkpoint.global} is told to be all, after ${sequence}`)
  await assertHolds(another, told, note)
  await assertHolds(another, { checkpoint: pushed.json.checkpoint, epoch: pushed.json.epoch }, note)
  return told
}

/** What one node answered is a place to go on from at every other: by pull, by URL and by stream, with and without its epoch. */
async function assertHolds (url: string, { checkpoint, epoch }: Place, note: Write['note']): Promise<void> {
  for (const place of [{ checkpoint, epoch: epoch! }, { checkpoint }]) {
    const page = await pulled(url, place, note)
    if (page.json?.checkpoint?.global < checkpoint.global) note(`${checkpoint.global} became ${page.json.checkpoint.global}`)
  }
  const cursor = `${checkpoint.global}~e${epoch}`
  const byUrl = await request(`${url}/sync/changes?collections=${COLLECTION}&since=${cursor}`)
  if (byUrl.status !== 200) note(`${cursor} by URL: ${byUrl.text}`)
  const stream = await SseClient.connect(`${url}/sync/stream?collections=${COLLECTION}`, { lastEventId: cursor })
  const hello = await stream.next()
  stream.close()
  if (hello?.event !== 'hello') note(`${cursor} on a stream: ${hello?.event} ${hello?.data}`)
  else if (JSON.parse(hello.data).checkpoint.global < checkpoint.global) note(`the stream after ${cursor} says ${hello.data}`)
}

async function pulled (url: string, place: Place, note: Write['note']): Promise<Answered> {
  const page = await post(`${url}/sync/pull`, pullOf({ collections: [COLLECTION], limit: 1000, ...place }))
  if (page.status !== 200) note(`a pull from ${JSON.stringify(place)}: ${page.text}`)
  return page
}

function ids ({ json }: Answered): string[] {
  return (json?.changes?.[COLLECTION] ?? []).map(({ documentId }: { documentId: string }) => documentId)
}

function shuffled<T> (list: readonly T[]): T[] {
  return list.map(value => ({ value, by: Math.random() })).sort((a, b) => a.by - b.by).map(({ value }) => value)
}
