import fc from 'fast-check'
import t from 'tap'
import { setImmediate as turn } from 'node:timers/promises'
import { asOne, asOneList, Together } from '../../src/changelog/together.ts'
import { SyncError } from '../../src/errors.ts'

/** Groups that were sent; each is answered when the test says so. */
class Sent<Question> {
  readonly groups: Array<{ readonly questions: readonly Question[], answer (): void, fail (error: Error): void }> = []
  readonly ask = (questions: readonly Question[]): Promise<Question[]> => new Promise((resolve, reject) => {
    this.groups.push({ questions, answer: () => resolve([...questions]), fail: reject })
  })

  get questions (): Array<readonly Question[]> {
    return this.groups.map(({ questions }) => questions)
  }
}

t.test('what many ask in one turn is put as one question, and each gets the answer to its own', async t => {
  const sent = new Sent<number>()
  const together = new Together(sent.ask)
  const answers = Promise.all([1, 2, 3].map(n => together.add(n)))
  await turn()
  t.strictSame(sent.questions, [[1, 2, 3]])
  sent.groups[0]!.answer()
  t.strictSame(await answers, [1, 2, 3])
})

t.test('two are under way at most, and what comes meanwhile gathers', async t => {
  const sent = new Sent<number>()
  const together = new Together(sent.ask)
  const answers: Array<Promise<number>> = []
  for (let n = 1; n <= 4; n++) {
    answers.push(together.add(n))
    await turn()
  }
  t.strictSame(sent.questions, [[1], [2]])
  sent.groups[1]!.answer()
  t.equal(await answers[1], 2, 'the second does not wait for the first')
  await turn()
  await turn()
  t.strictSame(sent.questions, [[1], [2], [3, 4]])
  for (const { answer } of sent.groups) answer()
  t.strictSame(await Promise.all(answers), [1, 2, 3, 4])
})

t.test('a bound holds, except for one question that is larger than it', async t => {
  const asked: Array<readonly string[]> = []
  const together = asOneList(async (items: readonly string[]) => {
    asked.push(items)
    return items.map(item => item.toUpperCase())
  }, 3)
  t.strictSame(await Promise.all([['a', 'b'], [], ['c'], ['d', 'e', 'f', 'g'], ['h']].map(list => together.add(list))), [['A', 'B'], [], ['C'], ['D', 'E', 'F', 'G'], ['H']])
  t.strictSame(asked, [['a', 'b', 'c'], ['d', 'e', 'f', 'g'], ['h']])
})

t.test('one group after the other, and all are answered when it is drained', async t => {
  const sent = new Sent<number>()
  const together = new Together(sent.ask, { underWay: 1 })
  await together.drained()
  const answers = [together.add(1), together.add(2)]
  let drained = false
  const end = together.drained().then(() => { drained = true })
  await turn()
  answers.push(together.add(3))
  await turn()
  t.strictSame(sent.questions, [[1, 2]])
  sent.groups[0]!.answer()
  await Promise.all(answers.slice(0, 2))
  await turn()
  await turn()
  t.strictSame([sent.questions, drained], [[[1, 2], [3]], false])
  sent.groups[1]!.answer()
  await end
  t.equal(await answers[2], 3)
})

t.test('promise 7 (Isolated): a question that cannot be asked fails alone, a server that is away fails all', async t => {
  const together = new Together(async (questions: readonly string[]) => {
    if (questions.includes('bad')) throw new TypeError('bad')
    if (questions.includes('away')) throw new SyncError('storage_unavailable')
    return questions
  })
  const statuses = async (...questions: string[]): Promise<string[]> => (await Promise.allSettled(questions.map(question => together.add(question)))).map(({ status }) => status)
  t.strictSame(await statuses('a', 'bad', 'b'), ['fulfilled', 'rejected', 'fulfilled'])
  t.strictSame(await statuses('a', 'away', 'b'), ['rejected', 'rejected', 'rejected'])
  t.strictSame(await statuses('a'), ['fulfilled'], 'and goes on')
})

t.test('promise 4 (Safe checkpoints): no answer is older than its question', async t => {
  const steps = fc.array(fc.constantFrom('ask', 'change', 'turn', 'read', 'answer'), { minLength: 20, maxLength: 40 })
  await fc.assert(fc.asyncProperty(steps, async steps => {
    let version = 0
    const reading: Array<() => void> = []
    const answering: Array<() => void> = []
    const state = asOne(async () => {
      await new Promise<void>(resolve => { reading.push(resolve) })
      const read = version
      await new Promise<void>(resolve => { answering.push(resolve) })
      return read
    })
    const asked: Array<Promise<boolean>> = []
    for (const step of steps) {
      if (step === 'ask') {
        const since = version
        asked.push(state.add(null).then(read => read >= since))
      } else if (step === 'change') version++
      else if (step === 'turn') await turn()
      else (step === 'read' ? reading : answering).shift()?.()
    }
    for (let left = 3 * steps.length; left > 0; left--) {
      await turn()
      for (const done of [...reading.splice(0), ...answering.splice(0)]) done()
    }
    t.notOk((await Promise.all(asked)).includes(false))
  }), { numRuns: Number(process.env['POCKET_RUNS'] ?? 200) })
})
