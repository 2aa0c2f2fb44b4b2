import type { Sabotage } from './sabotage.ts'

const test = 'test/changelog/plain.test.ts'
const file = 'src/changelog/plain-state.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 3 (Once): a change whose append took effect and said that it failed is not known again',
    file,
    find: 'hasContent(key.identity, head.hash) ? ',
    replace: 'hasContent(key.identity, new Uint8Array(32)) ? ',
    test,
    title: 'promise 3 (Once): when an append fails midway'
  },
  {
    breaks: 'promise 3 (Once): an entry that is taken back brings no identity with it',
    file,
    find: '...content, exact: true',
    replace: '...content, identity: content.hash.subarray(1), exact: true',
    test,
    title: 'promise 3 (Once): a log that keeps times knows every change after a restart'
  },
  {
    breaks: 'promise 10 (Not ruled by client clocks): a time that is taken back is not clamped',
    file,
    find: 'const effectiveTime = effectiveAfter(head, timestamp, now)',
    replace: 'const effectiveTime = timestamp',
    test,
    title: 'promise 10 (Not ruled by client clocks): after a restart'
  },
  {
    breaks: 'promise 7 (Isolated): what is kept beside the log grows without end',
    file: 'src/changelog/plain-budget.ts',
    find: 'if (this.#used <= this.#limit) break',
    replace: 'break',
    test,
    title: 'promise 7 (Isolated): what is kept beside the log is bounded'
  },
  {
    breaks: 'promise 9 (Clear): a log that repeats itself is read for ever',
    file: 'src/changelog/plain-log.ts',
    find: 'if (sequence <= last) throw',
    replace: 'if (sequence <= last) return before; if (sequence < 0) throw',
    test,
    title: 'promise 9 (Clear): a log that misbehaves'
  }
]
