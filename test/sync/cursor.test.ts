import fc from 'fast-check'
import { deepEqual, equal, ok } from 'node:assert/strict'
import t from 'tap'
import { MAX_INTEGER } from '../../schema/common.ts'
import { SyncError } from '../../src/errors.ts'
import { formatCursor, highest, lowest, parseCursor, positionOf } from '../../src/sync/cursor.ts'

const sequence = fc.integer({ min: 0, max: MAX_INTEGER })
const word = (alphabet: string, maxLength: number) => fc.string({ unit: fc.constantFrom(...alphabet), minLength: 1, maxLength })
const epoch = word('abcdefghijklmnopqrstuvwxyz0123456789', 32)
const digest = word('AZaz09_-', 64)
const head = fc.tuple(sequence, epoch).map(([at, of]) => `${at}.${of}`)

t.test('a cursor that was handed out is read as what it said', async () => {
  const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
  fc.assert(fc.property(sequence, some(epoch), some(sequence), some(digest), some(head), (after, epoch, snapshot, scope, head) => {
    const position = { after, epoch, snapshot, scope, head }
    deepEqual(parseCursor(formatCursor(position)), position)
  }))
})

t.test('every part but the sequence is optional, in one order', async t => {
  fc.assert(fc.property(sequence, fc.option(epoch), fc.option(digest), fc.option(sequence), fc.option(head), (after, epoch, digest, snapshot, head) => {
    const text = `${after}${epoch === null ? '' : `~e${epoch}`}${digest === null ? '' : `~c${digest}`}${snapshot === null ? '' : `~s${snapshot}`}${head === null ? '' : `~h${head}`}`
    deepEqual(parseCursor(text), { after, epoch: epoch ?? undefined, snapshot: snapshot ?? undefined, scope: digest ?? undefined, head: head ?? undefined })
  }))
  t.same(parseCursor('0'), { after: 0, epoch: undefined, snapshot: undefined, scope: undefined, head: undefined })
})

t.test('promise 9 (Clear): what is no cursor is refused, whatever it is', async t => {
  const wrong = [
    '', ' 1', '1 ', '+1', '-1', '01', '00', '1.0', '1e3', '0x1', '１', '1\n', '\n1', '1~', '1~e', '1~eA', '1~e_', `1~e${'a'.repeat(33)}`, '1~c', '1~c=',
    '1~s', '1~h', '1~h2', '1~h2.', '1~h.a', '1~h02.a', '1~h2.A', '1~h2.a~s1', '1~s01', '1~s-1', '1~s1~ea', '1~ea~ea', '1~ea~s1~s1', '1,2', 'now', 'NaN', 'Infinity', '9007199254740992', '9999999999999999', '10000000000000000',
    '1~s9007199254740992', `${'9'.repeat(400)}`, '__proto__', '1~e__proto__', '1\0', '1~ea\0'
  ]
  for (const text of wrong) t.throws(() => parseCursor(text), { code: 'invalid_cursor' }, JSON.stringify(text.slice(0, 40)))
  t.equal(parseCursor(String(MAX_INTEGER)).after, MAX_INTEGER)
})

t.test('promise 9 (Clear): any text is either a cursor with sequences that a double holds, or invalid_cursor', async () => {
  const near = fc.string({ unit: fc.constantFrom(...'0129~ecsh-_aZ. \n\0é') })
  fc.assert(fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), near), text => {
    try {
      const { after, snapshot = 0 } = parseCursor(text)
      ok(typeof after === 'number' && Number.isSafeInteger(after) && Number.isSafeInteger(snapshot))
      equal(text.split('~')[0], String(after))
    } catch (error) {
      ok(error instanceof SyncError && error.code === 'invalid_cursor')
    }
  }), { numRuns: 2000 })
})

t.test('a checkpoint names a position; without one it is the beginning', async t => {
  t.same(positionOf(undefined, undefined), { after: 0, epoch: undefined, snapshot: undefined, scope: undefined, head: undefined })
  t.same(positionOf({}, 'e'), { after: 0, epoch: 'e', snapshot: undefined })
  t.same(positionOf({ global: 5, snapshot: 9 }, undefined), { after: 5, epoch: undefined, snapshot: 9 })
  t.same(positionOf({ global: 5, sequences: { todos: 3 } }, undefined).after, new Map([['todos', 3]]), 'positions per collection count for more')
  const hostile = positionOf({ sequences: JSON.parse('{"__proto__":4,"constructor":2}') as Record<string, number> }, undefined)
  t.same(hostile.after, new Map([['__proto__', 4], ['constructor', 2]]))
})

t.test('the highest and the lowest of a position bound what it has seen', async t => {
  t.same([highest, lowest].map(of => of(positionOf({ global: 5 }, undefined))), [5, 5])
  t.same([highest, lowest].map(of => of(positionOf({ sequences: { a: 2, b: 7 } }, undefined))), [7, 2])
  t.same([highest, lowest].map(of => of(positionOf({ sequences: {} }, undefined))), [0, 0])
})
