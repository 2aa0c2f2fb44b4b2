import ts from 'typescript'
import { files, parse, walk, type Source } from './sources.ts'

export interface Promised {
  /** By this tests name it: "promise 1 (Durable): …". */
  readonly word: string
  readonly text: string
}

/** The ten promises of the design, in its order. */
export const promises: readonly Promised[] = [
  { word: 'Durable', text: 'A change answered `applied` or `merged` survives `kill -9`, and with the default setting a power cut.' },
  { word: 'Ordered', text: 'Sequences rise in commit order. A reader at checkpoint S never later learns of an entry ≤ S that it was not given.' },
  { word: 'Once', text: 'The same push sent again (lost answer, concurrently, after a crash) takes effect once and gets the same results.' },
  { word: 'Safe checkpoints', text: 'A client that adopts any checkpoint the server ever hands it misses nothing it may see, and always makes progress.' },
  { word: 'Live is pull', text: 'A stream and a series of pulls lead to the same documents; a stream’s sequences rise without gap or repeat across any number of reconnections with `Last-Event-ID`.' },
  { word: 'Private', text: 'Nothing leaves without authorization. What left a user’s view is removed from that user’s replicas; what entered it is delivered, however old.' },
  { word: 'Isolated', text: 'One bad change never blocks the others; one slow reader costs nobody else anything; memory is bounded whatever clients do.' },
  { word: 'Convergent', text: 'Replicas that are caught up with the same access hold the same documents. Mutually concurrent changes to a document end the same in every order of arrival.' },
  { word: 'Clear', text: 'Bad input gets an error that says what, where and what to do next, and changes nothing.' },
  { word: 'Not ruled by client clocks', text: 'A wrong clock can lose its owner a tie, never lock or lose anyone else’s data.' }
]

/** Titles given to test(…), or to promise(…) in a conformance suite. */
export function titles (source: Source): string[] {
  const found: string[] = []
  walk(parse(source), (node) => {
    if (!ts.isCallExpression(node)) return
    const callee = ts.isPropertyAccessExpression(node.expression) ? node.expression.name.text : node.expression.getText()
    const [first] = node.arguments
    if ((callee !== 'test' && callee !== 'promise') || first === undefined) return
    if (ts.isStringLiteralLike(first)) found.push(first.text)
    else if (ts.isTemplateExpression(first)) found.push(first.head.text)
  })
  return found
}

/** Numbers of the promises that a text begins with: "promise 8 (Convergent) and 4 (Safe checkpoints): …". */
export function promisesOf (text: string): number[] {
  const claim = /^promise \d+ \([^)]+\)(?:(?:,| and) (?:promise )?\d+ \([^)]+\))*/.exec(text)?.[0] ?? ''
  return [...claim.matchAll(/(\d+) \(([^)]+)\)/g)]
    .filter(([, number, word]) => promises[Number(number) - 1]?.word === word)
    .map(([, number]) => Number(number))
}

/** Every text in a file that begins like a promise: titles of tests, and of what they assert on the way. */
export function claims (source: Source): string[] {
  const found: string[] = []
  walk(parse(source), (node) => {
    const text = ts.isStringLiteralLike(node) ? node.text : ts.isTemplateHead(node) ? node.text : ''
    if (/^promise \d/i.test(text)) found.push(text)
  })
  return found
}

/** What may claim to hold a promise; the tests of these very functions do not. */
export function claimants (): Source[] {
  return [...files(['test'], /(?<!^test\/repo\/[^/]*)\.test\.ts$/), ...files(['src/conformance'])]
}

/** Promise number → files whose tests name it. */
export function holders (sources = claimants()): Map<number, string[]> {
  const found = new Map<number, string[]>(promises.map((_, index) => [index + 1, []]))
  for (const source of sources) {
    for (const number of new Set(claims(source).flatMap(promisesOf))) found.get(number)?.push(source.path)
  }
  return found
}

/** The README's list of promises, each with the tests that hold it. */
export function promiseList (): string {
  const held = holders()
  return promises.map(({ word, text }, index) => {
    const where = (held.get(index + 1) ?? []).map((path) => `[${path.replace(/^(test|src)\//, '')}](${path})`).join(', ')
    return `${index + 1}. **${word}.** ${text}\n   Held by ${where}.`
  }).join('\n')
}
