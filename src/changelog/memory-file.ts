/** Filing all documents of the memory adapter anew, for what was written under other channels or none. */
import { randomUUID } from 'node:crypto'
import { Order } from './memory-order.ts'
import type { Filer } from './changelog.ts'
import type { MemoryDocument, MemoryState } from './memory-state.ts'

export function fileAnew (state: MemoryState, name: string, channelsOf: Filer): void {
  if (state.filing.name === name) return
  let moved = false
  const rows: Array<{ channel: string, position: number, document: MemoryDocument }> = []
  for (const head of state.heads.after(0)) {
    const document = state.document(head)!
    const channels = head.document === null ? [] : channelsOf(head, head.document)
    moved = move(document, head.sequence, new Set(channels)) || moved
    for (const [channel, { position }] of document.channels) rows.push({ channel, position, document })
  }
  state.channels = new Map()
  for (const { channel, position, document } of rows.sort((a, b) => a.position - b.position)) {
    const order = state.channels.get(channel) ?? new Order<MemoryDocument>()
    state.channels.set(channel, order)
    order.add(position, document)
  }
  state.filing.name = name
  if (moved) state.filing.id = randomUUID()
}

/** @returns whether its rows were not as they should be */
function move ({ channels }: MemoryDocument, position: number, wanted: Set<string>): boolean {
  let moved = false
  for (const [channel, { member }] of channels) {
    if (!member || wanted.delete(channel)) continue
    channels.delete(channel)
    moved = true
  }
  for (const channel of wanted) channels.set(channel, { position, member: true })
  return moved || wanted.size > 0
}
