import type { Sabotage } from './sabotage.ts'

const gate = 'test/http/json-gate.test.ts'
const body = 'test/http/body.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 9 (Clear): __proto__ passes the slow gate',
    file: 'src/http/json-scanner.ts',
    find: "if (name === '__proto__') this.#find('forbidden_name')",
    replace: "if (name === '__proto__') return",
    test: gate,
    title: 'promise 9 (Clear): the same defect in the envelope'
  },
  {
    breaks: 'promise 7 (Isolated): __proto__ passes the quick gate',
    file: 'src/http/json-gate.ts',
    find: "if (name === '__proto__') return NaN",
    replace: '',
    test: gate,
    title: 'promise 7 (Isolated): a defect in a document condemns exactly its change'
  },
  {
    breaks: 'promise 7 (Isolated): a bomb is measured before it is decoded only',
    file: 'src/http/body.ts',
    find: 'this.#decoded += chunk.length',
    replace: '',
    test: body,
    title: 'promise 7 (Isolated): a bomb is stopped at the decoded limit'
  },
  {
    breaks: 'promise 7 (Isolated): bytes in flight of a body that came whole are not counted',
    file: 'src/http/body.ts',
    find: '|| !inFlight.take(bytes)',
    replace: '',
    test: body,
    title: 'promise 7 (Isolated): a body that came whole with its head'
  },
  {
    breaks: 'promise 7 (Isolated): bytes in flight are not counted',
    file: 'src/http/body.ts',
    find: 'if (this.#reading.inFlight.take(n)) {',
    replace: 'if (this.#reading.inFlight.take(0)) {',
    test: body,
    title: 'promise 7 (Isolated): over the bytes in flight of all requests'
  }
]
