/** An examination within this process. */
import type { Outcome, Told } from '../../src/doctor/chart.ts'
import { examine } from '../../src/doctor/doctor.ts'
import type { Site } from '../../src/doctor/site.ts'
import { tlsOf } from './tls.ts'

export interface Examined extends Outcome {
  readonly told: readonly Told[]
  /** The checks with that level, in order. */
  names (level: Told['level']): string[]
  /** One finding. @throws Error when it was not told */
  of (check: string): Told
}

interface Options extends Partial<Site> {
  readonly origin?: string | null
  /** Default 0, silence is not tried; undefined tries it for as long as a user has it tried. */
  readonly idleMs?: number | undefined
  readonly onWait?: (ms: number) => Promise<void>
}

export async function examined (url: string, options: Options = {}): Promise<Examined> {
  const { origin = null, idleMs, onWait = async () => {}, ...site } = { idleMs: 0, ...options }
  const told: Told[] = []
  const outcome = await examine({
    url: new URL(url),
    token: undefined,
    ca: String(tlsOf('localhost').cert),
    timeoutMs: 10_000,
    signal: new AbortController().signal,
    now: Date.now,
    ...site
  }, { origin, idleMs, onWait, tell: async one => { told.push(one) } })
  return {
    ...outcome,
    told,
    names: level => told.filter(one => one.level === level).map(({ check }) => check),
    of (check) {
      const found = told.find(one => one.check === check)
      if (found === undefined) throw new Error(`nothing was told of ${check}`)
      return found
    }
  }
}
