/** Reads a request body within limits that hold while it arrives, whatever its headers claim. */
import { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import * as zlib from 'node:zlib'
import { SyncError } from '../errors.ts'
import type { Share } from './in-flight.ts'

export interface BodyLimits {
  /** On the wire. Attack: a body without end. */
  readonly bodyBytes: number
  /** After decoding. Attack: 64 KiB of gzip hold 64 MiB. */
  readonly decodedBytes: number
}

export interface ReadBody {
  readonly body: Buffer
  /** Gives back the bytes in flight; call it when the body is no longer needed. More calls do nothing. */
  readonly release: () => void
}

/** RFC 9659: a zstd window above 8 MiB need not be taken; the library would allocate up to 128 MiB. */
const ZSTD_WINDOW_LOG = 23
type Decoder = zlib.Gunzip | zlib.BrotliDecompress
const { createZstdDecompress } = zlib as { createZstdDecompress?: (options: object) => Decoder }
const gunzip = (): Decoder => zlib.createGunzip()
const decoders = new Map<string, () => Decoder>([['gzip', gunzip], ['br', () => zlib.createBrotliDecompress()]])
if (createZstdDecompress !== undefined) {
  const { ZSTD_d_windowLogMax: windowLogMax } = zlib.constants as unknown as Record<string, number>
  decoders.set('zstd', () => createZstdDecompress({ params: { [windowLogMax!]: ZSTD_WINDOW_LOG } }))
}

/** What this server decodes, as an Accept-Encoding header lists it. */
export const acceptedCodings = [...decoders.keys()].join(', ')
decoders.set('x-gzip', gunzip) // RFC 9110, section 8.4.1.3

/** The connection cannot be used again: part of the body may still be on its way. */
const close = { Connection: 'close' }

/**
 * Reads `stream` to its end and decodes it. Rejects with SyncError `unsupported_media_type`, `too_large`
 * (with `limit`), `overloaded`, or `bad_request` for a body that is corrupt or ends early; then everything
 * taken is given back and the stream is paused: `discardRest` lets the sender finish.
 */
export async function readBody (stream: Readable, contentEncoding: string | undefined, limits: BodyLimits, inFlight: Share): Promise<ReadBody> {
  const coding = contentEncoding?.trim().toLowerCase() ?? ''
  const decode = decoders.get(coding)
  if (decode === undefined && coding !== '' && coding !== 'identity') {
    throw new SyncError('unsupported_media_type', { detail: 'The body has a content coding this server does not take, or more than one.', headers: { 'Accept-Encoding': acceptedCodings, ...close } })
  }
  if (decode === undefined) {
    await null
    const whole = wholeBody(stream, limits, inFlight)
    if (whole !== null) return whole
  }
  return await new Promise((resolve, reject) => {
    const done = (result: ReadBody | SyncError): void => { if (result instanceof SyncError) reject(result); else resolve(result) }
    new BodyReader({ stream, coding, decoder: decode?.(), limits, inFlight, done }).start()
  })
}

/** A body that came with its head, as small ones do, lies there as soon as Node has read that: it is taken without listeners. */
function wholeBody (stream: Readable, limits: BodyLimits, inFlight: Share): ReadBody | null {
  const { readableLength: bytes } = stream
  if (bytes === 0 || !(stream instanceof IncomingMessage) || stream.destroyed || stream.readableFlowing !== null) return null
  const { 'content-length': length, 'transfer-encoding': coding } = stream.headers
  if (Number(length) !== bytes || coding !== undefined || bytes > Math.min(limits.bodyBytes, limits.decodedBytes) || !inFlight.take(bytes)) return null
  let held = bytes
  const release = (): void => {
    inFlight.give(held)
    held = 0
  }
  const body = stream.read() as Buffer
  // Node has yet to see its end.
  stream.resume()
  return { body, release }
}

/** Throws SyncError `too_large` at once for a Content-Length that says so; a smaller one is not believed. */
export function checkLength (contentLength: string | undefined, limits: BodyLimits): void {
  if (contentLength !== undefined && Number(contentLength) > limits.bodyBytes) throw tooLarge('bodyBytes', limits.bodyBytes)
}

/**
 * Reads on and forgets, so that a sender which reads no answer before it has sent everything gets to it
 * (RFC 9112, section 9.6; proxies turn a reset into 502). Ends after `bytes` (16 MiB) or `ms` (5,000 ms) and
 * says whether the body ended first. Never rejects; the caller then ends the connection.
 */
export async function discardRest (stream: Readable, { bytes = 16 << 20, ms = 5_000 } = {}): Promise<boolean> {
  if (stream.readableEnded) return true
  if (stream.destroyed) return false
  return await new Promise((resolve) => {
    let left = bytes
    const finish = (ended: boolean): void => {
      clearTimeout(timer)
      stream.off('data', onData).off('end', onEnd).off('close', onClose)
      stream.pause()
      resolve(ended)
    }
    const onData = (chunk: Buffer): void => { if ((left -= chunk.length) < 0) finish(false) }
    const onEnd = (): void => { finish(true) }
    const onClose = (): void => { finish(false) }
    const timer = setTimeout(onClose, ms)
    stream.on('error', ignore).on('data', onData).on('end', onEnd).on('close', onClose)
    stream.resume()
  })
}

interface Reading {
  readonly stream: Readable
  readonly coding: string
  readonly decoder: Decoder | undefined
  readonly limits: BodyLimits
  readonly inFlight: Share
  readonly done: (result: ReadBody | SyncError) => void
}

class BodyReader {
  readonly #reading: Reading
  readonly #pieces = new Pieces()
  #wire = 0
  #decoded = 0
  #held = 0
  #wireEnded = false
  #decoderEnded = false
  #finished = false

  constructor (reading: Reading) {
    this.#reading = reading
  }

  start (): void {
    const { stream, decoder } = this.#reading
    if (stream.readableEnded || stream.destroyed) { this.#vanished(); return }
    stream.on('data', this.#onData).on('end', this.#onEnd).on('error', this.#vanished).on('close', this.#vanished)
    if (decoder !== undefined) {
      decoder.on('data', this.#onDecoded).on('end', this.#onDecoderEnd).on('error', this.#onDecoderError)
      decoder.on('drain', () => { if (!this.#finished) stream.resume() })
    }
    stream.resume()
  }

  readonly #onData = (chunk: Buffer): void => {
    const { stream, decoder, limits } = this.#reading
    this.#wire += chunk.length
    if (this.#wire > limits.bodyBytes) this.#fail(tooLarge('bodyBytes', limits.bodyBytes))
    else if (decoder === undefined) this.#keep(chunk)
    else if (this.#decoderEnded) this.#corrupt('is followed by other bytes')
    else if (this.#take(chunk.length) && !decoder.write(chunk)) stream.pause()
  }

  readonly #onDecoded = (chunk: Buffer): void => { this.#keep(chunk) }

  readonly #onEnd = (): void => {
    this.#wireEnded = true
    const { decoder } = this.#reading
    if (decoder === undefined || this.#decoderEnded) this.#finish()
    else decoder.end()
  }

  /** Before the end of the wire when there is something behind the coded data. */
  readonly #onDecoderEnd = (): void => {
    this.#decoderEnded = true
    if (this.#wireEnded) this.#finish()
    else this.#reading.stream.resume()
  }

  readonly #onDecoderError = (cause: Error & { code?: string }): void => {
    this.#corrupt(cause.code === 'Z_BUF_ERROR' ? 'ends before its data is complete' : 'is corrupt', cause)
  }

  readonly #vanished = (cause?: Error): void => {
    if (!this.#wireEnded) this.#fail(new SyncError('bad_request', { detail: 'The body ended early.', headers: close, cause }))
  }

  #keep (chunk: Buffer): void {
    const { decodedBytes } = this.#reading.limits
    this.#decoded += chunk.length
    if (this.#decoded > decodedBytes) this.#fail(tooLarge('decodedBytes', decodedBytes))
    else if (this.#take(chunk.length)) this.#pieces.add(chunk)
  }

  #take (n: number): boolean {
    if (this.#finished) return false
    if (this.#reading.inFlight.take(n)) {
      this.#held += n
      return true
    }
    this.#fail(new SyncError('overloaded', { detail: 'Too many bodies are being read at once.', headers: { 'Retry-After': '1', ...close } }))
    return false
  }

  #give (n: number): void {
    this.#held -= n
    this.#reading.inFlight.give(n)
  }

  #corrupt (what: string, cause?: Error): void {
    this.#fail(new SyncError('bad_request', { detail: `The ${this.#reading.coding} body ${what}.`, headers: close, cause }))
  }

  #finish (): void {
    if (this.#finished) return
    const { decoder } = this.#reading
    if (decoder !== undefined && decoder.bytesWritten < this.#wire) { this.#corrupt('is followed by other bytes'); return }
    this.#stop()
    this.#give(this.#held - this.#decoded) // coded bytes are gone
    this.#reading.done({ body: this.#pieces.join(), release: () => { this.#give(this.#held) } })
  }

  #fail (error: SyncError): void {
    if (this.#finished) return
    this.#stop()
    this.#reading.stream.on('error', ignore).pause()
    this.#reading.decoder?.destroy()
    this.#give(this.#held)
    this.#reading.done(error)
  }

  #stop (): void {
    this.#finished = true
    this.#reading.stream.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#vanished).off('close', this.#vanished)
  }
}

/** Attack: a body of millions of chunks of one byte, each of which would cost a Buffer object. */
const SMALL_BYTES = 4_096
const SMALL_PIECES = 64

class Pieces {
  readonly #joined: Buffer[] = []
  #small: Buffer[] = []

  add (chunk: Buffer): void {
    const small = chunk.length < SMALL_BYTES
    if (small) this.#small.push(chunk)
    if (!small || this.#small.length === SMALL_PIECES) this.#joinSmall()
    if (!small) this.#joined.push(chunk)
  }

  join (): Buffer {
    this.#joinSmall()
    return this.#joined.length === 1 ? this.#joined[0]! : Buffer.concat(this.#joined)
  }

  #joinSmall (): void {
    if (this.#small.length === 0) return
    this.#joined.push(this.#small.length === 1 ? this.#small[0]! : Buffer.concat(this.#small))
    this.#small = []
  }
}

function tooLarge (name: keyof BodyLimits, max: number): SyncError {
  return new SyncError('too_large', { detail: `The body is over the limit of ${max} bytes${name === 'decodedBytes' ? ' after decoding' : ''}.`, limit: { name, max }, headers: close })
}

function ignore (): void {}
