import type { Sabotage } from './sabotage.ts'

const crowd = 'test/sync/crowd.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 7 (Isolated): after a restart each stream asks the store for what it missed',
    file: 'src/sync/tail.ts',
    find: "asleep && sight === 'everything' ? await this.#newest(page) : null",
    replace: 'null',
    test: crowd,
    title: 'a crowd that comes back after a restart'
  },
  {
    breaks: 'promise 7 (Isolated): frames are encoded for each stream',
    file: 'src/sync/frames.ts',
    find: 'if (this.#bytes === undefined) {\n      const { end, hasMore } = this',
    replace: '{\n      const { end, hasMore } = this',
    test: crowd,
    title: 'a crowd that comes back after a restart'
  },
  {
    breaks: 'promise 7 (Isolated): all who are lost come back at the same moment',
    file: 'src/sync/pauses.ts',
    find: 'this.#random() * (most - least)',
    replace: '(most - least)',
    test: crowd,
    title: 'who is lost with others does not come back with them'
  },
  {
    breaks: 'promise 7 (Isolated): newcomers wait until everybody is written to',
    file: 'src/sync/delivery.ts',
    find: 'this.#short > 0 ? WRITES_BESIDE_ARRIVALS : WRITES',
    replace: 'WRITES',
    test: crowd,
    title: 'promise 7 (Isolated): while streams arrive'
  }
]
