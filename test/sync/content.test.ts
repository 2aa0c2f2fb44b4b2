import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { deepEqual, equal, notEqual } from 'node:assert/strict'
import t from 'tap'
import { contentHash, hasContent, identityOf } from '../../src/changelog/entry.ts'
import { digestOf } from '../../src/sync/content.ts'

/** The same value as another client might write it: members in another order, at every depth. */
function shuffled (value: unknown, seed: number): unknown {
  if (Array.isArray(value)) return value.map((item, i) => shuffled(item, seed + i))
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).map(([name, member], i) => [name, shuffled(member, seed + i)] as const)
  const turn = members.length === 0 ? 0 : seed % members.length
  return Object.fromEntries([...members.slice(turn), ...members.slice(0, turn)].reverse())
}

const hex = (digest: Uint8Array): string => Buffer.from(digest).toString('hex')

t.test('equal values have equal hashes, whatever the order of their members', async () => {
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 4 }), fc.nat(7), (value, seed) => {
    equal(hex(contentHash(shuffled(value, seed))), hex(contentHash(value)))
  }))
})

t.test('the spelling of numbers and strings does not count', async t => {
  const spellings = [
    ['{"n":1}', '{"n":1.0}', '{"n":1e0}', '{"n":10E-1}', ' {\n"n" : 100e-2 } '],
    ['{"n":0}', '{"n":-0}', '{"n":0.0}'],
    ['{"s":"é/"}', '{"s":"\\u00e9\\/"}'],
    ['{"n":1e21}', '{"n":1000000000000000000000}']
  ]
  for (const group of spellings) t.equal(new Set(group.map(text => hex(contentHash(JSON.parse(text))))).size, 1, String(group[0]))
  t.notSame(contentHash({ s: 'é' }), contentHash({ s: 'e\u0301' }), 'but the form of characters does')
})

t.test('different values have different hashes', async () => {
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 4 }), fc.jsonValue({ maxDepth: 4 }), (one, other) => {
    const same = hex(contentHash(one)) === hex(contentHash(other))
    if (same) deepEqual(JSON.parse(JSON.stringify(one)), JSON.parse(JSON.stringify(other)))
  }), { numRuns: 500 })
  const alike = [null, false, 0, '', '0', 'null', [], {}, [[]], [null], { 0: 0 }, [0], { a: 1, b: 2 }, { a: { b: 2 } }, { 'a":1,"b': 2 }, { ab: 12 }]
  equal(new Set(alike.map(value => hex(contentHash(value)))).size, alike.length)
})

t.test('what is hashed is JSON sorted by UTF-16 units, as RFC 8785 has it', async t => {
  const value = { '\u20ac': 1, '\r': 2, דּ: 3, 1: 4, '\u{1f600}': 5, '\u0080': 6, ö: [{ d: 1, c: null }] }
  const text = '{"\\r":2,"1":4,"\u0080":6,"ö":[{"c":null,"d":1}],"€":1,"😀":5,"\ufb33":3}'
  t.equal(hex(contentHash(value)), createHash('sha256').update(text).digest('hex'))
  for (const text of ['{"a":[{"10":0,"9":0}],"b":{"!":{"0":1}}}', '{"a":[{"!":1,"__proto__":{"b":1,"c":2}}]}', '{"toJSON":1,"v":[[],{}]}']) {
    t.equal(hex(contentHash(JSON.parse(text))), createHash('sha256').update(text).digest('hex'), text)
  }
})

t.test('few names and many are put in the same order', async t => {
  for (const count of [2, 16, 17, 100]) {
    const names = Array.from({ length: count }, (_, i) => `n${String((i * 37) % count).padStart(3, '0')}`)
    const text = `{${[...names].sort().map(name => `"${name}":0`).join(',')}}`
    t.equal(hex(contentHash(Object.fromEntries(names.map(name => [name, 0])))), createHash('sha256').update(text).digest('hex'), `${count} names`)
  }
})

t.test('the absence of a document hashes as null', async t => {
  t.same(contentHash(undefined), contentHash(null))
})

t.test('promise 3 (Once): without a revision the time tells two equal edits apart, with one the content alone counts', async t => {
  const hash = contentHash({ a: 1 })
  const other = contentHash({ a: 2 })
  fc.assert(fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (one, two) => {
    const same = hex(identityOf(hash, one, null)) === hex(identityOf(hash, two, null))
    equal(same, one === two)
    equal(hex(identityOf(hash, one, '1-a')), hex(identityOf(hash, two, '1-a')))
    notEqual(hex(identityOf(hash, one, null)), hex(identityOf(other, one, null)))
    equal(hasContent(identityOf(hash, one, null), hash), true)
    equal(hasContent(identityOf(other, one, '1-a'), hash), false)
  }))
  const identity = identityOf(hash, 0, '1-a')
  hash.fill(0)
  t.not(identity[0], undefined)
  t.notSame(identity, hash, 'an identity is its own bytes')
})

t.test('no two lists of parts share a digest', async () => {
  const parts = fc.array(fc.oneof(fc.string({ maxLength: 4 }), fc.uint8Array({ maxLength: 4 })), { maxLength: 4 })
  const key = (list: Array<string | Uint8Array>): string => JSON.stringify(list.map(part => Buffer.from(part).toString('hex')))
  fc.assert(fc.property(parts, parts, (one, other) => {
    equal(hex(digestOf(one)) === hex(digestOf(other)), key(one) === key(other))
  }), { numRuns: 500 })
  for (const length of [10, 1400, 100_000]) {
    const part = 'ä'.repeat(length)
    const bytes = Buffer.concat([Buffer.alloc(4), Buffer.from(part)])
    bytes.writeUInt32BE(length * 2)
    equal(hex(digestOf([part])), createHash('sha256').update(bytes).digest('hex'), 'of short parts and of long ones')
  }
  notEqual(hex(digestOf(['ab', 'c'])), hex(digestOf(['a', 'bc'])))
  notEqual(hex(digestOf([''])), hex(digestOf([])))
})
