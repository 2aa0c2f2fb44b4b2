/** What the helper that listens is asked to do, and what it tells. */
import type { Sample } from './stats.ts'

/** Opens so many streams under a name, in place of those that had it; 0 closes them. */
export interface AudienceQuestion {
  readonly audience: string
  readonly port: number
  readonly path: string
  readonly count: number
  /** Each stream has a user of its own, u0, u1, …, whose name is its bearer token. */
  readonly users?: boolean
  /** Of the streams, so many also follow the collection "bulk" and read nothing after the hello. */
  readonly stalled?: number
}

/** Publishes, and counts what arrives. */
export interface FanLoad {
  readonly audience: string
  /** `push`: a push of ours. `frame`: a ready frame. `data`: what a frame is to carry. */
  readonly kind: 'push' | 'frame' | 'data'
  readonly port: number
  readonly path: string
  /** Process whose CPU is counted. */
  readonly pid: number
  /** Sent as the bearer token. */
  readonly token?: string
  /** Streams that each change reaches; default all. Rate and CPU are then per change and such a stream. */
  readonly reaches?: number
  /** In one publication. */
  readonly changes: number
  /** Changes a second; absent: as fast as it goes. */
  readonly rate?: number
  /** Without a rate: how many changes may be published and not yet arrived, on average over the streams. */
  readonly ahead: number
  readonly ms: number
}

export type FanQuestion = AudienceQuestion | FanLoad

/** Rate and CPU are per change and stream. */
export interface FanResult extends Sample {
  /** From its publication to its arrival, ms. */
  readonly p50: number
  readonly p99: number
}
