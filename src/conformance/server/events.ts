/** A strict reader of an event stream: what the wire does not allow is an error, not mended. */
import assert from 'node:assert/strict'
import type { Opened } from './entrance.ts'
import { within } from './time.ts'

export interface Event {
  /** `message` where it has no name. */
  readonly name: string
  readonly id: string | undefined
  readonly data: any
  /** `performance.now()` when its last byte was there. */
  readonly at: number
}

/** What a stream may keep a reader waiting for where nothing says otherwise, ms. */
const PATIENCE = 10_000

export class EventReader {
  readonly opened: Opened
  readonly #events: Event[] = []
  #rest = ''
  #failure: unknown
  #ended = false
  #wake = (): void => {}

  constructor (opened: Opened) {
    this.opened = opened
    opened.body.setEncoding('utf8')
    opened.body.on('data', (text: string) => this.#read(text))
    for (const end of ['end', 'close', 'error']) opened.body.on(end, () => { this.#ended = true; this.#wake() })
  }

  /** The next event, or the next of that name; the others before it are dropped. @throws when the stream ends or none comes in time */
  async next (name?: string, ms = PATIENCE): Promise<Event> {
    return await within(ms, `no event ${name ?? ''} came`, async () => {
      for (;;) {
        const event = this.#events.shift()
        if (event !== undefined && (name === undefined || event.name === name)) return event
        if (event !== undefined) continue
        if (this.#failure !== undefined) throw this.#failure
        if (this.#ended) throw new Error(`the stream ended before an event ${name ?? ''}`)
        await new Promise<void>(resolve => { this.#wake = resolve })
      }
    })
  }

  /** Pages until the one that says that the stream is live. */
  async untilLive (): Promise<Event[]> {
    const pages: Event[] = []
    do pages.push(await this.next('message')); while (pages.at(-1)!.data.hasMore === true)
    return pages
  }

  /** Pages until this document came. */
  async until (documentId: string): Promise<Event[]> {
    const pages: Event[] = []
    do pages.push(await this.next('message')); while (!changesOf(pages.at(-1)!.data).some(change => change.documentId === documentId))
    return pages
  }

  close (): void {
    this.#ended = true
    this.opened.close()
  }

  #read (text: string): void {
    const at = performance.now()
    const blocks = (this.#rest + text).split('\n\n')
    this.#rest = blocks.pop()!
    try {
      for (const block of blocks) if (block !== ':') this.#events.push(parse(block, at))
    } catch (error) {
      this.#failure = error
    }
    this.#wake()
  }
}

function parse (block: string, at: number): Event {
  const lines = block.split('\n').map(line => {
    const [, name = '', value = ''] = /^(event|data|id|retry): (.*)$/.exec(line) ?? assert.fail(`no line of an event stream: ${JSON.stringify(line)}`)
    return [name, value] as const
  })
  const fields = new Map(lines)
  assert.equal(fields.size, lines.length, `a field twice: ${block}`)
  assert.ok(fields.has('data'), `no data: ${block}`)
  const id = fields.get('id')
  assert.ok(id === undefined || lines.at(-1)![0] === 'id', `the id comes after its data: ${block}`)
  return { name: fields.get('event') ?? 'message', id, data: JSON.parse(fields.get('data')!), at }
}

export interface SeenChange {
  readonly operation: string
  readonly documentId: string
  readonly document: any
  readonly sequence: number
}

/** Of all collections, in the one order. */
export function changesOf (page: { changes: Record<string, SeenChange[]> }): SeenChange[] {
  return Object.values(page.changes).flat().sort((a, b) => a.sequence - b.sequence)
}
