import type { Sabotage } from './sabotage.ts'

const feed = 'test/sync/feed.test.ts'
const delivery = 'test/sync/delivery.test.ts'
const tail = 'test/sync/tail.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 5 (Live is pull): a hint that comes while the log is read is forgotten',
    file: 'src/sync/tail.ts',
    find: 'if (this.#reading) {\n      this.#again = true',
    replace: 'if (this.#reading) {',
    test: tail,
    title: 'promise 5 (Live is pull): a hint that comes while the log is read'
  },
  {
    breaks: 'promise 5 (Live is pull): the ring is used although it has forgotten what comes next',
    file: 'src/sync/delivery.ts',
    find: '!ring.covers(place!.after)',
    replace: 'place!.after > ring.end',
    test: delivery,
    title: 'promise 5 (Live is pull): whatever is written and wherever a stream is cut'
  },
  {
    breaks: 'promise 5 (Live is pull): the cursor passes what did not fit the frame',
    file: 'src/sync/frames.ts',
    find: 'return { changes: lists.text, count, reached }',
    replace: 'return { changes: lists.text, count, reached: ring.end }',
    test: tail,
    title: 'promise 5 (Live is pull): a frame reaches no further'
  },
  {
    breaks: 'promise 5 (Live is pull): the id comes before the data it stands for',
    file: 'src/sync/frames.ts',
    find: 'Buffer.from(`data: $' + '{data}\\nid: $' + '{end.id}\\n\\n`)',
    replace: 'Buffer.from(`id: $' + '{end.id}\\ndata: $' + '{data}\\n\\n`)',
    test: feed,
    title: 'a stream says hello'
  },
  {
    breaks: 'promise 5 (Live is pull): a stream is called live from pages of different ages',
    file: 'src/sync/delivery.ts',
    find: 'seenHead > ring.end',
    replace: 'false',
    test: delivery,
    title: 'promise 5 (Live is pull): when a stream first says that it is live'
  },
  {
    breaks: 'promise 4 (Safe checkpoints): streams do not notice that the log went on from elsewhere',
    file: 'src/sync/feed.ts',
    find: "if (news === 'lost') stream.doubtful = stream.greeted",
    replace: "if (news === 'lost') stream.doubtful = false",
    test: feed,
    title: 'promise 4 (Safe checkpoints): a log that another one'
  },
  {
    breaks: 'promise 7 (Isolated): a full socket is written to',
    file: 'src/sync/stream.ts',
    find: 'if (!this.facts.sink.write(bytes)) this.full = true',
    replace: 'this.facts.sink.write(bytes)',
    test: delivery,
    title: 'promise 7 (Isolated): a reader that stalls'
  },
  {
    breaks: 'promise 7 (Isolated): a failed read is taken for an empty one',
    file: 'src/sync/delivery.ts',
    find: '      this.stuck = true\n      return false',
    replace: '      stream.place = new Place(stream.place!.after + 1, stream.place!.epoch)\n      return false',
    test: feed,
    title: 'promise 7 (Isolated): a failing store'
  }
]
