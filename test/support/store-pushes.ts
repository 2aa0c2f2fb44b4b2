/** Pushes that a child and the test that judges it can both make from a task and a number. */
import { createHash } from 'node:crypto'
import type { Push } from '../../src/changelog/changelog.ts'

function digest (text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}

/** How many documents a push has: 1, 2 or 3. */
export function entriesOf (number: number): number {
  return number % 3 + 1
}

export function documentId (task: number, number: number, index: number): string {
  return `${task}-${number}-${index}`
}

export function pushOf (task: number, number: number): Push {
  const entries = Array.from({ length: entriesOf(number) }, (_, index) => {
    const id = documentId(task, number, index)
    const document = JSON.stringify({ _id: id, note: 'x'.repeat(100) })
    return {
      collection: 'todos',
      documentId: id,
      operation: 'insert' as const,
      document,
      timestamp: number,
      effectiveTime: number,
      rev: null,
      hash: digest(document),
      identity: digest(id),
      exact: true,
      expected: 0
    }
  })
  const key = digest(`push ${task} ${number}`)
  return {
    key, fingerprint: key, outcome: '[]', entries, journal: [], messageId: `${task}-${number}`, userId: null, clientId: null, address: null, serverTimestamp: Date.now()
  }
}
