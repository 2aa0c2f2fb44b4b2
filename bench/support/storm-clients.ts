/** HELPER: streams that come back when they are lost, and a writer that goes on meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Returning } from '../../test/support/returning.ts'
import { documentText } from './documents.ts'
import { answerQuestions } from './processes.ts'
import type { Storm, StormQuestion } from './storm-questions.ts'

const target = { port: 0 }
let crowd: Returning
let writer: Promise<number> | undefined
let writing = new AbortController()
let used = process.cpuUsage()
let numbers = 0

/** Until it is answered: the same message again. @returns the head */
async function push (): Promise<number> {
  const id = `s${++numbers}`
  const now = Date.now()
  const body = `{"type":"push","id":"${id}","timestamp":${now},"collection":"todos","changes":[{"operation":"insert","documentId":"${id}","document":${documentText(id, 0, now)},"timestamp":${now}}]}`
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${target.port}/sync/push`, { method: 'POST', headers: { 'content-type': 'application/json' }, body, signal: AbortSignal.timeout(10_000) })
      .then(async response => await response.json() as { results?: Array<{ sequence: number }> }).catch(() => undefined)
    const sequence = answer?.results?.[0]?.sequence
    if (sequence !== undefined) return sequence
    await sleep(100)
  }
}

async function write (rate: number, signal: AbortSignal): Promise<number> {
  let head = 0
  while (!signal.aborted) {
    head = await push()
    await sleep(1000 / rate)
  }
  return head
}

async function settle (ms: number): Promise<Storm> {
  const until = performance.now() + ms
  const patiently = async (done: () => boolean): Promise<void> => { while (!done() && performance.now() < until) await sleep(50) }
  const before = crowd.reached
  await patiently(() => crowd.live === crowd.readers.length)
  const took = performance.now() - crowd.since
  const { user, system } = process.cpuUsage(used)
  writing.abort()
  const head = await writer!
  await patiently(() => crowd.reached >= head)
  const { times, failed, ...found } = crowd.found
  times.sort((a, b) => a - b)
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? NaN
  return {
    ...found,
    failed: [...new Set(failed)],
    streams: crowd.readers.length,
    live: crowd.live,
    pushed: head - before,
    complete: crowd.readers.filter(({ reached }) => reached === head).length,
    p50: at(0.5),
    p99: at(0.99),
    longest: at(1),
    generator: (user + system) / 1000 / took
  }
}

answerQuestions<StormQuestion>(async question => {
  if (question.what === 'open') {
    target.port = question.port
    const { count } = question
    crowd = new Returning({ target, count, mannerOf: index => index % 2 === 0 ? 'eventsource' : 'client' })
    await crowd.open()
  }
  if (question.what === 'begin') {
    crowd.mark()
    used = process.cpuUsage()
    writing = new AbortController()
    writer = write(question.rate, writing.signal)
  }
  if (question.what === 'cut') crowd.cut()
  return question.what === 'settle' ? await settle(question.ms) : {}
})
