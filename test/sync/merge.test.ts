import fc from 'fast-check'
import t from 'tap'
import { mergeObjects, type JsonObject, type Path } from '../../src/sync/merge.ts'

function merged (base: JsonObject, stored: JsonObject, incoming: JsonObject): { document: JsonObject, contested: Path[] } {
  const contested: Path[] = []
  const document = mergeObjects({ base, stored, incoming }, path => {
    contested.push(path)
    return 'stored'
  })
  return { document, contested }
}

t.test('what only one side changed is kept, member by member and into nested objects', async t => {
  const base = { _id: 'a', title: 'x', done: false, at: { place: 'here', time: { hour: 1, minute: 2 } } }
  const stored = { ...base, title: 'y', at: { ...base.at, time: { hour: 1, minute: 3 } } }
  const incoming = { ...base, done: true, at: { place: 'there', time: { hour: 4, minute: 2 } }, tags: ['new'] }
  t.strictSame(merged(base, stored, incoming), {
    document: { _id: 'a', title: 'y', done: true, at: { place: 'there', time: { hour: 4, minute: 3 } }, tags: ['new'] },
    contested: []
  })
})

t.test('a member that one side removed is gone, unless the other changed it', async t => {
  t.strictSame(merged({ a: 1, b: 2 }, { a: 1 }, { b: 2 }), { document: {}, contested: [] })
  t.strictSame(merged({ a: 1, b: { c: 1 } }, { b: { c: 1 } }, { a: 2, b: { c: 1 } }), { document: { b: { c: 1 } }, contested: [['a']] })
})

t.test('arrays are values: both changed is one contest, however their items differ', async t => {
  t.strictSame(merged({ list: [1, 2] }, { list: [1, 2, 3] }, { list: [0, 1, 2] }), { document: { list: [1, 2, 3] }, contested: [['list']] })
  t.strictSame(merged({ list: [{ a: 1 }] }, { list: [{ a: 1 }] }, { list: [{ a: 2 }] }), { document: { list: [{ a: 2 }] }, contested: [] })
})

t.test('both sides made an object where there was none: its members are merged', async t => {
  t.strictSame(merged({}, { o: { a: 1 } }, { o: { b: 2 } }), { document: { o: { a: 1, b: 2 } }, contested: [] })
  t.strictSame(merged({ o: 5 }, { o: { a: 1 } }, { o: 6 }), { document: { o: { a: 1 } }, contested: [['o']] })
})

t.test('names that objects inherit are ordinary data', async t => {
  const base = JSON.parse('{"constructor":1,"toString":{"a":1}}') as JsonObject
  const stored = JSON.parse('{"constructor":1,"toString":{"a":1},"hasOwnProperty":2}') as JsonObject
  const incoming = JSON.parse('{"toString":{"a":1,"valueOf":3},"__proto__":{"polluted":true}}') as JsonObject
  const { document, contested } = merged(base, stored, incoming)
  t.equal(JSON.stringify(document), '{"toString":{"a":1,"valueOf":3},"hasOwnProperty":2,"__proto__":{"polluted":true}}')
  t.equal(Object.getPrototypeOf(document), Object.prototype)
  t.strictSame(contested, [])
})

const json = fc.letrec(tie => ({
  object: fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value'), { maxKeys: 3, noNullPrototype: true }),
  value: fc.oneof({ depthSize: 'small' }, fc.nat(2), fc.constant(null), fc.array(fc.nat(1), { maxLength: 2 }), tie('object'))
})).object as fc.Arbitrary<JsonObject>

t.test('whatever the documents: a side that changed nothing leaves the other as it is, and who says the same is not contested', async t => {
  fc.assert(fc.property(json, json, (base, other) => {
    const contests = [merged(base, base, other), merged(base, other, base), merged(base, other, other)]
    for (const { document, contested } of contests) {
      t.strictSame(sorted(document), sorted(other))
      if (contested.length > 0) return false
    }
    return true
  }), { numRuns: 500 })
})

t.test('whatever the documents: the sides may change places, and so does the choice', async t => {
  fc.assert(fc.property(json, json, json, (base, a, b) => {
    const there = mergeObjects({ base, stored: a, incoming: b }, () => 'stored')
    const back = mergeObjects({ base, stored: b, incoming: a }, () => 'incoming')
    return JSON.stringify(sorted(there)) === JSON.stringify(sorted(back))
  }), { numRuns: 500 })
  t.pass()
})

/** Order of members is not part of a document. */
function sorted (value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map(([name, member]) => [name, sorted(member)])
}
