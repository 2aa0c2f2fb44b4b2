import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { SseParser, type Frame } from '../../src/client/sse-parser.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

/** All frames of a text that arrives cut at these places. */
function parse (bytes: Uint8Array, cuts: readonly number[] = []): Frame[] {
  const parser = new SseParser()
  const places = [0, ...[...cuts].sort((a, b) => a - b), bytes.length]
  return places.slice(1).flatMap((end, i) => parser.push(bytes.subarray(places[i], end)))
}

const sample = encode('\uFEFFretry: 1500\nevent: hello\ndata: {"a":"ä€😀"}\nid: 5~e1\n\n: comment\r\n\r\ndata: one\r\ndata:two\r\ndata\r\nid: 6\r\n\r\nid: 7\r\revent: ping\rdata: x: y\r\rdata: half')

t.test('lines end with LF, CRLF or CR; comments say nothing; several data lines are one text; half a frame is none', async t => {
  t.strictSame(parse(sample), [
    { event: 'hello', data: '{"a":"ä€😀"}', id: '5~e1' },
    { event: 'message', data: 'one\ntwo\n', id: '6' },
    { event: 'message', data: undefined, id: '7' },
    { event: 'ping', data: 'x: y', id: undefined }
  ])
})

t.test('wherever the bytes are cut, in a character, in a CRLF, in the byte order mark, the frames are the same', async t => {
  const whole = parse(sample)
  const places = Array.from({ length: sample.length + 1 }, (_, cut) => cut)
  t.strictSame(places.filter(cut => !isDeepStrictEqual(parse(sample, [cut]), whole)), [], 'no place makes a difference')
  t.strictSame(parse(sample, Array.from(sample, (_, i) => i)), whole, 'at every byte')
})

const text = fc.string({ unit: 'grapheme', maxLength: 20 }).map(value => value.replace(/[\r\n\0]/g, '')).filter(value => !value.startsWith('\uFEFF'))
const frame = fc.record({
  event: fc.option(text.filter(name => name !== ''), { nil: undefined }),
  data: fc.option(fc.array(text, { minLength: 1, maxLength: 3 }), { nil: undefined }),
  id: fc.option(text, { nil: undefined }),
  end: fc.constantFrom('\n', '\r\n', '\r'),
  comment: fc.boolean()
}).filter(({ event, data, id }) => event !== undefined || data !== undefined || id !== undefined)

t.test('whatever is written is read, however it is cut', async t => {
  fc.assert(fc.property(fc.array(frame, { minLength: 1, maxLength: 6 }), fc.array(fc.nat(), { maxLength: 12 }), (frames, cuts) => {
    const bytes = encode(frames.map(({ event, data = [], id, end, comment }) => [
      ...comment ? [':', ': data: no'] : [], ...event === undefined ? [] : [`event: ${event}`], ...data.map(line => `data: ${line}`), ...id === undefined ? [] : [`id: ${id}`], '', ''
    ].join(end).replace(/(\r\n|\r|\n)$/, '') + end).join(''))
    const expected = frames.map(({ event, data, id }) => ({ event: event ?? 'message', data: data?.join('\n'), id }))
    return isDeepStrictEqual(parse(bytes, cuts.map(cut => cut % (bytes.length + 1))), expected)
  }), { numRuns: 500 })
  t.pass()
})

t.test('retry takes digits only, unknown fields and ids with NUL are passed over', async t => {
  const parser = new SseParser()
  t.strictSame(parser.push(encode('retry: 1500\nretry: soon\nfoo: bar\nid: a\0b\n\nretry: 2000\n\n')), [])
  t.equal(parser.retry, 2000)
})

t.test('bytes that are no UTF-8 are an error, not another document; so is a frame without end', async t => {
  t.throws(() => parse(new Uint8Array([0x64, 0x61, 0x74, 0x61, 0x3a, 0xff, 0x0a])), TypeError)
  const parser = new SseParser()
  const line = encode(`data: ${'x'.repeat(1 << 22)}\n`)
  t.throws(() => { for (let i = 0; i < 20; i++) parser.push(line) }, RangeError)
})

t.test('one long line costs its length, not the square of it', async t => {
  const parser = new SseParser()
  const chunk = encode('x'.repeat(16 * 1024))
  parser.push(encode('data: '))
  for (let i = 0; i < 1000; i++) parser.push(chunk)
  t.equal(parser.push(encode('\n\n'))[0]?.data?.length, 16 * 1024 * 1000)
})
