/**
 * One request and what was heard, chunk by chunk with its time. A server that is broken or means harm costs a bounded
 * time and memory, and nothing is followed: a redirect would carry the token to whoever it names.
 */
import { request as plain } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { request as secure } from 'node:https'
import type { Site } from './site.ts'

export interface Question {
  /** Below the site's address. */
  readonly path: string
  /** Default GET. */
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Whose credential is sent. Default `user`: the token, where there is one. */
  readonly as?: 'user' | 'nobody' | 'stranger'
  /** Until the answer must have ended. Default the site's. */
  readonly timeoutMs?: number
  /** Called with every chunk of the body. @returns whether that is enough */
  readonly onData?: (bytes: Buffer, ms: number) => boolean
  /** The answer's header has come. */
  readonly onHead?: (heard: Heard) => void
  /** Ends it early, as its timeout does. */
  readonly signal?: AbortSignal
}

/** `ended` in order, `cut` in the middle, `enough` for who asked, `late`, `endless`, or `failed` before it began. */
export type End = 'ended' | 'cut' | 'enough' | 'late' | 'endless' | 'failed'

export interface Heard {
  /** null: no answer began. */
  status: number | null
  /** By lower-case name; repeated ones joined by ", ". */
  headers: ReadonlyMap<string, string>
  httpVersion: string
  body: Buffer
  /** ms after the request was begun. */
  headMs: number | null
  endMs: number
  end: End
  /** Of `cut` and `failed`. */
  error: NodeJS.ErrnoException | null
}

/** Attack: an answer without end. */
const MOST_BYTES = 2 ** 20

/** Of a timer, ms. */
const LONGEST = 2 ** 31 - 1

/** What no server takes. */
const WRONG_TOKEN = 'pocket-doctor-knows-no-token'

export async function ask (site: Site, question: Question): Promise<Heard> {
  return await new Promise(resolve => {
    const hearing = new Hearing(site, question, resolve)
    const stop = send(site, question, hearing)
    const late = (): void => { hearing.over('late') }
    const timer = setTimeout(late, Math.min(question.timeoutMs ?? site.timeoutMs, LONGEST))
    // One of its own: the site's would gather a listener of every question that is open.
    const signal = AbortSignal.any([site.signal, ...question.signal === undefined ? [] : [question.signal]])
    signal.addEventListener('abort', late)
    hearing.whenOver(() => {
      clearTimeout(timer)
      signal.removeEventListener('abort', late)
      stop()
    })
    if (signal.aborted) late()
  })
}

/** Shorter ones are words that any answer may hold, and no secrets. Characters. */
const SECRET = 8

/** A server that hands the token back would have it told, or a part of it: it is taken out before anybody looks. */
function withoutToken (text: string, token: string | undefined): string {
  return token === undefined || token.length < SECRET ? text : text.replaceAll(token, '(token)')
}

class Hearing {
  readonly #token: string | undefined
  readonly #question: Question
  readonly #resolve: (heard: Heard) => void
  readonly #start = performance.now()
  readonly #chunks: Buffer[] = []
  #size = 0
  #after: (() => void) | null = null
  #isOver = false
  readonly heard: Heard = { status: null, headers: new Map(), httpVersion: '', body: Buffer.alloc(0), headMs: null, endMs: 0, end: 'failed', error: null }

  constructor ({ token }: Site, question: Question, resolve: (heard: Heard) => void) {
    this.#token = token
    this.#question = question
    this.#resolve = resolve
  }

  #ms (): number {
    return performance.now() - this.#start
  }

  whenOver (after: () => void): void {
    if (this.#isOver) after()
    else this.#after = after
  }

  head (status: number, headers: ReadonlyMap<string, string>, httpVersion: string): void {
    const clean = [...headers].map(([name, value]) => [name, withoutToken(value, this.#token)] as const)
    Object.assign(this.heard, { status, headers: new Map(clean), httpVersion, headMs: this.#ms() })
    this.#question.onHead?.(this.heard)
  }

  data (bytes: Buffer): void {
    if (this.#isOver) return
    this.#size += bytes.length
    if (this.#size > MOST_BYTES) return this.over('endless')
    this.#chunks.push(bytes)
    if (this.#question.onData?.(bytes, this.#ms()) === true) this.over('enough')
  }

  #body (): Buffer {
    const body = Buffer.concat(this.#chunks)
    return this.#token === undefined || !body.includes(this.#token) ? body : Buffer.from(withoutToken(body.toString(), this.#token))
  }

  over (end: End, error: NodeJS.ErrnoException | null = null): void {
    if (this.#isOver) return
    this.#isOver = true
    Object.assign(this.heard, { end: end === 'cut' && this.heard.status === null ? 'failed' : end, error, endMs: this.#ms(), body: this.#body() })
    this.#after?.()
    this.#resolve(this.heard)
  }
}

function headersOf ({ headers = {}, as = 'user' }: Question, { token }: Site): Record<string, string> {
  const bearer = as === 'stranger' ? WRONG_TOKEN : as === 'user' ? token : undefined
  return { 'user-agent': 'pocket-server doctor', accept: '*/*', ...bearer !== undefined && { authorization: `Bearer ${bearer}` }, ...headers }
}

function pathOf ({ url }: Site, { path }: Question): string {
  return `${url.pathname === '/' ? '' : url.pathname}${path}`
}

/** @returns lets go of the connection */
function send (site: Site, question: Question, hearing: Hearing): () => void {
  const { url, ca } = site
  const { method = 'GET', body } = question
  const length = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }
  // A connection of its own, which no other request has left in whatever state.
  const options = { method, agent: false as const, path: pathOf(site, question), headers: { connection: 'keep-alive', ...length, ...headersOf(question, site) } }
  const request = url.protocol === 'https:' ? secure(url, { ...options, ...ca !== undefined && { ca } }) : plain(url, options)
  request.on('response', answer => {
    hearing.head(answer.statusCode!, joined(answer), answer.httpVersion)
    answer.on('data', (bytes: Buffer) => hearing.data(bytes))
    answer.on('end', () => hearing.over('ended'))
    answer.on('error', error => hearing.over('cut', error))
    answer.on('close', () => hearing.over('cut'))
  })
  request.on('upgrade', (_answer, socket) => {
    socket.destroy()
    hearing.over('failed', new Error('the answer changes the protocol'))
  })
  request.on('error', error => hearing.over('cut', error))
  request.end(body)
  return () => { request.destroy() }
}

function joined ({ rawHeaders }: IncomingMessage): Map<string, string> {
  const headers = new Map<string, string>()
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    const before = headers.get(name)
    headers.set(name, before === undefined ? rawHeaders[i + 1]! : `${before}, ${rawHeaders[i + 1]!}`)
  }
  return headers
}
