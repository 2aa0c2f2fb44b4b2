import assert from 'node:assert/strict'
import t from 'tap'
import fc from 'fast-check'
import { parseMessage, type GateLimits, type Message } from '../../src/http/json-gate.ts'
import { SyncError, type ErrorItem } from '../../src/errors.ts'

const limits: GateLimits = { depth: 64 }
const runs = { numRuns: 300 }
const MIB = 1 << 20

/** What the gate makes of a text: the message, or the item of its refusal. */
async function gate (text: string | Buffer, how: { limits?: GateLimits, slice?: number | undefined } = {}): Promise<Message | ErrorItem> {
  try {
    return await parseMessage(Buffer.from(text as string), how.limits ?? limits, how.slice)
  } catch (error) {
    if (!(error instanceof SyncError)) throw error
    const { limit, errors } = error.facts
    if (limit !== undefined) return { pointer: '', code: error.code, detail: limit.name }
    if (error.code !== 'invalid_json' || errors?.length !== 1) throw error
    return errors[0]!
  }
}

async function refusal (text: string | Buffer, how = {}): Promise<string> {
  const found = await gate(text, how)
  return 'code' in found ? `${found.code} ${found.pointer}` : 'accepted'
}

function message (found: Message | ErrorItem): Message {
  if ('code' in found) throw new Error(`refused: ${found.detail} ${found.pointer}`)
  return found
}

/** index → "code pointer" of every condemned change. */
function condemned (found: Message | ErrorItem): Array<[number, string]> {
  return [...message(found).condemned].map(([index, { error }]) => [index, `${error.code} ${error.pointer}`])
}

const push = (...documents: string[]): string =>
  `{"type":"push","changes":[${documents.map((text, i) => `{"operation":"insert","documentId":"d${i}","document":${text}}`).join(',')}],"checkpoint":{"global":1}}`

/** Sizes at which a large body is cut; the first takes the message whole. */
const slices = fc.constantFrom(undefined, 1, 2, 7, 40, 200)
const names = fc.oneof(
  fc.constantFrom('changes', 'document', 'a', 'b', 'constructor', 'toString', 'prototype', 'a/b', 'm~n', ''),
  fc.string({ unit: 'binary' })).filter((name) => name !== '__proto__')
const numbers = fc.oneof(fc.maxSafeInteger(), fc.double({ noNaN: true, noDefaultInfinity: true }).filter((x) => !Number.isInteger(x) || Number.isSafeInteger(x)))
const { json } = fc.letrec<{ json: unknown, list: unknown, object: unknown }>((tie) => ({
  json: fc.oneof({ maxDepth: 6, withCrossShrink: true }, fc.string({ unit: 'binary' }), numbers, fc.boolean(), fc.constant(null), tie('list'), tie('object')),
  list: fc.array(tie('json'), { maxLength: 5 }),
  object: fc.array(fc.tuple(names, tie('json')), { maxLength: 5 }).map(Object.fromEntries)
}))
const changes = fc.array(fc.oneof(json, fc.record({ documentId: fc.string(), document: json, previousDocument: json })), { maxLength: 6 })
const pushes = fc.record({ id: fc.string(), changes, extra: json })
const indents = fc.constantFrom(undefined, ' ', '\t', '\n', '\r\n  ')

t.test('any harmless JSON comes out as JSON.parse gives it, however it is indented and cut', async () => {
  await fc.assert(fc.asyncProperty(fc.oneof(json, pushes), indents, slices, async (value, indent, slice) => {
    const text = JSON.stringify(value, null, indent)
    const found = message(await gate(text, { slice }))
    assert.deepEqual(found.value, JSON.parse(text)) // tap trips over a member called constructor
    if (found.condemned.size > 0) throw new Error('condemned without reason')
  }), runs)
})

t.test('promise 9 (Clear): the gate takes only what JSON.parse takes, and refuses what it takes only with a reason', async () => {
  const hostile = fc.string({ unit: fc.constantFrom(...'{}[]",:\\u0dD8e+-. 19\n\u0001é'), maxLength: 3 })
  await fc.assert(fc.asyncProperty(pushes, indents, hostile, fc.nat(), fc.nat(4), slices, async (value, indent, planted, at, cut, slice) => {
    const good = JSON.stringify(value, null, indent)
    const i = at % (good.length + 1)
    const text = good.slice(0, i) + planted + good.slice(i + cut)
    if (/\p{Surrogate}/u.test(text)) return // it has no UTF-8
    let parsed: unknown
    let valid = true
    try { parsed = JSON.parse(text) } catch { valid = false }
    const found = await gate(text, { slice })
    if (!valid) {
      if (!('code' in found)) throw new Error(`took ${text}`)
    } else if ('code' in found) {
      if (found.code === 'invalid_json') throw new Error(`${found.detail} in ${text}`)
    } else if (found.condemned.size === 0 && JSON.stringify(found.value) !== JSON.stringify(parsed)) throw new Error(`altered ${text}`)
  }), { numRuns: 1500 })
})

t.test('arbitrary bytes: refused or taken, the same for every size of slices', async () => {
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 40 }), pushes.map((value) => Buffer.from(JSON.stringify(value))))
  await fc.assert(fc.asyncProperty(bytes, fc.nat(), fc.nat(255), fc.integer({ min: 1, max: 30 }), async (base, at, byte, slice) => {
    const body = Buffer.from(base)
    if (body.length > 0) body[at % body.length] = byte
    const whole = await gate(body)
    const cut = await gate(body, { slice })
    if (('code' in whole) !== ('code' in cut)) throw new Error('cutting changed the verdict')
    if ('code' in whole) return
    if (JSON.stringify(whole) !== JSON.stringify(cut)) throw new Error('cutting changed the value')
    if (JSON.stringify(condemned(whole)) !== JSON.stringify(condemned(cut))) throw new Error('cutting changed who is condemned')
  }), { numRuns: 1000 })
})

/** What to plant as a value, with the code and where it lies under the planted place. */
const defects = fc.constantFrom<[string, string, string]>(
  ['1e400', 'number_out_of_range', ''],
  ['-1e999', 'number_out_of_range', ''],
  ['9007199254740992', 'number_out_of_range', ''],
  ['-9007199254740993', 'number_out_of_range', ''],
  ['100000000000000000000', 'number_out_of_range', ''],
  ['{"__proto__":1}', 'forbidden_name', '/__proto__'],
  ['{"x":1,"\\u005f_proto\\u005F_":{}}', 'forbidden_name', '/__proto__'],
  ['{"a/b":1,"a\\/b":1}', 'duplicate_name', '/a~1b'],
  ['{"":1,"m":2,"":1}', 'duplicate_name', '/'],
  ['{"k":1,"\\u006b":[]}', 'duplicate_name', '/k'],
  ['"\\ud800"', 'lone_surrogate', ''],
  ['"\\uDC00\\uD800"', 'lone_surrogate', ''],
  ['{"\\ud83d":1}', 'lone_surrogate', ''],
  ['[' + '['.repeat(64) + ']'.repeat(64) + ']', 'too_deep', '*'])

/** A text of `value` in which the value at a random place is replaced, and the pointer of that place. */
function plant (value: unknown, planted: string, choose: () => number): { text: string, pointer: string, depth: number } {
  if (typeof value === 'object' && value !== null && choose() % 4 !== 0) {
    const keys = Object.keys(value)
    if (keys.length > 0) {
      const key = keys[choose() % keys.length]!
      const inner = plant((value as Record<string, unknown>)[key], planted, choose)
      const members = keys.map((k) => {
        const text = k === key ? inner.text : JSON.stringify((value as Record<string, unknown>)[k])
        return Array.isArray(value) ? text : `${JSON.stringify(k)} : ${text}`
      }).join(', ')
      const pointer = '/' + key.replaceAll('~', '~0').replaceAll('/', '~1') + inner.pointer
      return { text: Array.isArray(value) ? `[${members}]` : `{${members}}`, pointer, depth: inner.depth + 1 }
    }
  }
  return { text: planted, pointer: '', depth: 0 }
}

t.test('promise 7 (Isolated): a defect in a document condemns exactly its change, with code, pointer and raw text', async () => {
  const cases = fc.record({
    documents: fc.array(json, { minLength: 1, maxLength: 5 }),
    at: fc.nat(),
    member: fc.constantFrom('document', 'previousDocument'),
    defect: defects,
    walk: fc.infiniteStream(fc.nat()),
    slice: slices
  })
  await fc.assert(fc.asyncProperty(cases, async ({ documents, at, member, defect: [bad, code, below], walk, slice }) => {
    const index = at % documents.length
    const { text, pointer, depth } = plant(documents[index], bad, () => walk.next().value as number)
    const raw = `{"documentId":"bad","${member}": ${text} ,"sequence":1}`
    const list = documents.map((document, i) => i === index ? raw : JSON.stringify({ document }))
    const found = message(await gate(`{"id":"m","changes":[${list.join(' , ')}],"z":[]}`, { slice }))
    const [[which, verdict] = [], ...others] = [...found.condemned]
    const deep = code === 'too_deep' ? '/0'.repeat(64 - depth) : below
    const expected = `/changes/${index}/${member}${pointer}${deep}`
    if (others.length > 0 || which !== index || verdict?.error.code !== code) throw new Error(`${verdict?.error.code} at ${which}`)
    if (verdict.error.pointer !== expected) throw new Error(`${verdict.error.pointer} is not ${expected}`)
    if (verdict.raw !== raw) throw new Error(`raw is ${verdict.raw}`)
    const value = documents.map((document, i) => i === index ? { documentId: 'bad', [member]: null, sequence: 1 } : { document })
    if (JSON.stringify(found.value) !== JSON.stringify({ id: 'm', changes: value, z: [] })) throw new Error('the others changed')
  }), { numRuns: 1500 })
})

t.test('promise 9 (Clear): the same defect in the envelope refuses the message and names the place', async () => {
  const cases = fc.tuple(json, fc.constantFrom('extra', 'checkpoint'), defects, fc.infiniteStream(fc.nat()), slices)
  await fc.assert(fc.asyncProperty(cases, async ([value, member, [bad, code, below], walk, slice]) => {
    const { text, pointer, depth } = plant(value, bad, () => walk.next().value as number)
    const deep = code === 'too_deep' ? '/0'.repeat(63 - depth) : below
    for (const [body, place] of [
      [`{"id":"m","${member}":${text},"changes":[{"document":{}}]}`, `/${member}`],
      [`{"id":"m","changes":[{"document":{}},{"document":{},"${member}":${text}}]}`, `/changes/1/${member}`]] as const) {
      const inChange = place !== `/${member}` && code === 'too_deep'
      const found = await refusal(body, { slice })
      const expected = `${code} ${place}${pointer}${inChange ? deep.slice(4) : deep}`
      if (found !== expected) throw new Error(`${found} is not ${expected}`)
    }
  }), { numRuns: 500 })
})

t.test('promise 9 (Clear): what is no JSON is refused with the byte where it ends to be JSON', async (t) => {
  for (const [text, detail] of [
    ['', 'Unexpected end at byte 0.'], ['{"ä":1,}', 'Unexpected character at byte 8.'],
    ['{"a":[1,2', 'Unexpected end at byte 9.'], ['{"a":01}', 'Unexpected character at byte 6.'],
    ['tru', 'Unexpected end at byte 3.'], ['"\\x"', 'Unexpected character at byte 2.'],
    ['"\\u00g0"', 'Unexpected character at byte 5.'], ['"a\nb"', 'Unexpected character at byte 2.'],
    ['1 2', 'Unexpected character at byte 2.'], ['-', 'Unexpected end at byte 1.'], ['NaN', 'Unexpected character at byte 0.'],
    ['1.e5', 'Unexpected character at byte 2.'], ['{"a" 1}', 'Unexpected character at byte 5.'], ["{'a':1}", 'Unexpected character at byte 1.']] as const) {
    for (const slice of [undefined, 1]) t.match(await gate(text, { slice }), { code: 'invalid_json', detail }, text)
  }
  const body = '{"changes":[{"é":1},{"document":[[1}],2]},{}],"id":1,}'
  for (const slice of [undefined, 1, 5]) {
    t.match(await gate(body, { slice }), { pointer: '/changes/1/document/0/0', detail: 'Unexpected character at byte 36.' }, 'with brackets that do not match')
    t.match(await gate(body.replace('[[1}', '[[1'), { slice }), { pointer: '/id', detail: 'Unexpected character at byte 53.' }, 'behind the changes')
    t.match(await gate(body.replace('[1}', '1 1').replace(',}', '}'), { slice }), { pointer: '/changes/1/document/0', detail: 'Unexpected character at byte 36.' }, 'in a change')
  }
})

t.test('promise 9 (Clear): invalid UTF-8 and a byte order mark are refused with their byte', async (t) => {
  t.match(await gate(Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d])), { code: 'invalid_json', detail: /byte order mark/ })
  await fc.assert(fc.asyncProperty(fc.string({ unit: 'binary' }), fc.constantFrom('ff', 'c0af', 'eda080', 'e282', 'f0908d', 'f4908080', '80'), fc.string({ unit: 'binary' }), async (before, bad, after) => {
    const valid = Buffer.byteLength(before)
    const body = Buffer.concat([Buffer.from(before), Buffer.from(bad, 'hex'), Buffer.from('.' + after)])
    const found = await gate(body)
    if (!('code' in found) || found.detail !== `The body is not UTF-8 from byte ${valid} on.`) throw new Error(JSON.stringify(found))
  }), runs)
})

t.test('numbers: doubles pass as JSON.parse reads them, integers only when they are exact', async (t) => {
  for (const text of ['1.0', '1e2', '-0', '0.1', '1E-400', '1e20', '123456789012345678.5', '1e308', '9007199254740991', '-9007199254740991']) {
    t.strictSame(message(await gate(push(`[${text}]`))).value, JSON.parse(push(`[${text}]`)), text)
    t.equal(message(await gate(push(`[${text}]`))).condemned.size, 0)
  }
  for (const text of ['1e309', '9007199254740992', '9007199254740993', '1' + '0'.repeat(400), '1' + '0'.repeat(400) + '.5']) {
    t.strictSame(condemned(await gate(push('1', text))), [[1, 'number_out_of_range /changes/1/document']], text)
  }
})

t.test('constructor, toString and prototype are ordinary names; __proto__ as a value is an ordinary text', async (t) => {
  const text = push('{"constructor":{"prototype":1},"toString":"__proto__","hasOwnProperty":"\\\\ud800"}')
  const found = message(await gate(text))
  assert.deepEqual(found.value, JSON.parse(text))
  t.equal(found.condemned.size, 0)
})

t.test('document counts only in a change: anywhere else, and twice in one change, it is envelope', async (t) => {
  t.equal(await refusal('{"document":1e400}'), 'number_out_of_range /document')
  t.equal(await refusal('[[{"document":1e400}]]'), 'number_out_of_range /0/0/document')
  t.equal(await refusal('{"changes":{"0":{"document":1e400}}}'), 'number_out_of_range /changes/0/document')
  t.equal(await refusal('{"changes":[[{"document":1e400}]]}'), 'number_out_of_range /changes/0/0/document')
  t.equal(await refusal('{"other":[{"document":1e400}]}'), 'number_out_of_range /other/0/document')
  for (const slice of [undefined, 3]) {
    t.equal(await refusal('{"changes":[{"document":1,"document":1e400}]}', { slice }), 'duplicate_name /changes/0/document')
    t.equal(await refusal('{"changes":[1],"\\u0063hanges":[{"document":1e400}]}', { slice }), 'duplicate_name /changes')
    t.strictSame(condemned(await gate('{"\\u0063hanges":[{"\\u0064ocument":1e400}]}', { slice })), [[0, 'number_out_of_range /changes/0/document']])
  }
})

t.test('a change condemned twice names the first finding and loses both documents', async (t) => {
  const found = message(await gate('{"changes":[{"previousDocument":{"a":[1,"\\ud800",1e999]},"document":{"__proto__":{"x":1}},"n":1}]}'))
  t.strictSame(condemned(found), [[0, 'lone_surrogate /changes/0/previousDocument/a/1']])
  t.strictSame(found.value, { changes: [{ previousDocument: null, document: null, n: 1 }] })
})

t.test('depth counts from the document, and 64 levels pass where 65 do not', async (t) => {
  const nest = (n: number): string => '{"a":['.repeat(n / 2) + ']}'.repeat(n / 2)
  for (const slice of [undefined, 50]) {
    t.equal(message(await gate(push(nest(64)), { slice })).condemned.size, 0)
    t.strictSame(condemned(await gate(push('{}', nest(66)), { slice })), [[1, `too_deep /changes/1/document${'/a/0'.repeat(32)}`]])
    t.equal(await refusal(`{"changes":[],"x":${nest(62)}}`, { slice }), 'accepted')
    t.equal(await refusal(`{"changes":[],"x":${nest(64)}}`, { slice }), `too_deep /x${'/a/0'.repeat(31)}/a`)
  }
})

t.test('promise 7 (Isolated): a million levels do not cost the stack, and the others go on', async (t) => {
  const levels = 1_000_000
  const deep = '['.repeat(levels) + ']'.repeat(levels)
  const found = await gate(push('{"a":1}', deep, '{"b":2}'))
  t.strictSame(condemned(found), [[1, `too_deep /changes/1/document${'/0'.repeat(64)}`]])
  t.match(message(found).value, { changes: [{ document: { a: 1 } }, { document: null }, { document: { b: 2 } }] })
  const half = '['.repeat(levels / 2)
  t.equal(await refusal(`{"changes":[],"x":${half}`), `too_deep /x${'/0'.repeat(63)}`)
  t.equal(await refusal(half), `too_deep ${'/0'.repeat(64)}`)
  t.equal(await refusal(`{"changes":[],"x":${deep}}`), 'too_large ')
})

t.test('promise 7 (Isolated): a large push gives the loop back between its changes, and keeps all of them', async (t) => {
  const body = push(...Array.from({ length: 40_000 }, (_, i) => i % 1000 === 999 ? '[1e999]' : JSON.stringify({ _id: `d${i}`, title: 'x'.repeat(150) })))
  let turns = 0
  const ticking = setInterval(() => { turns++ }, 1)
  const found = message(await gate(body))
  clearInterval(ticking)
  t.ok(turns >= 5, `${turns} timers ran meanwhile`)
  t.equal(found.condemned.size, 40)
  t.equal((found.value as { changes: unknown[] }).changes.length, 40_000)
  t.strictSame(found.condemned.get(39_999)?.error.pointer, '/changes/39999/document/0')
})

t.test('promise 7 (Isolated): a document over its limit is condemned unparsed, in a body of any size', async (t) => {
  const how = { limits: { depth: 64, documentBytes: 100 } }
  const fits = `"${'é'.repeat(49)}"`
  const over = `"${'é'.repeat(50)}"`
  t.equal(message(await gate(push(fits, fits), how)).condemned.size, 0)
  t.strictSame(condemned(await gate(push(fits, over, '1'), how)), [[1, 'document_too_large /changes/1/document']])
  const large = { limits: { depth: 64, documentBytes: MIB } }
  t.strictSame(condemned(await gate(push('1', `[${'[],'.repeat(MIB)}0]`, '2'), large)), [[1, 'document_too_large /changes/1/document']])
})

t.test('promise 7 (Isolated): what is large beside the documents is refused before it is parsed', async (t) => {
  const junk = `[${'[],'.repeat(MIB / 2)}0]`
  for (const text of [`{"x":${junk}}`, `{"changes":[],"x":${junk}}`, `{"changes":[1,{"x":${junk}}]}`]) t.match(await gate(text), { detail: 'envelopeLength' })
  t.equal((await gate(`{"changes":[${'[],'.repeat(MIB)}0]}`, { limits: { depth: 64, changes: 10_000 } }) as ErrorItem).detail, 'changes')
  t.strictSame(message(await gate(`{"changes":[${' '.repeat(2 * MIB)}]}`)).value, { changes: [] })
  t.strictSame(message(await gate(`{"changes":[${' '.repeat(2 * MIB)}7]}`)).value, { changes: [7] })
})

t.test('a process that polluted Object.prototype still refuses duplicate names', async (t) => {
  const everything: object = Object.prototype
  Object.defineProperty(everything, 'polluted', { value: 1, enumerable: true, configurable: true })
  t.teardown(() => { delete (everything as Record<string, unknown>)['polluted'] })
  const verdict = await refusal('{"a":1,"a":2}')
  delete (everything as Record<string, unknown>)['polluted']
  t.equal(verdict, 'duplicate_name /a')
})
