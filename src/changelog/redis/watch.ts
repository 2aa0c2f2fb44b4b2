/** Whether Redis is set up to keep what it acknowledges: asked before the log is opened, and now and then afterwards. */
import { RedisFailure } from '../../drivers/redis.ts'
import { SyncError } from '../../errors.ts'
import type { StoreHealth } from '../changelog.ts'
import { CHECK, PROBE } from './lua/check.ts'
import type { Session } from './session.ts'

const EVERY_MS = 30_000
/** While something is wrong: what mends it shall be noticed soon. */
const SOON_MS = 2000

export class Watch {
  readonly #session: Session
  #timer: NodeJS.Timeout | undefined
  #closed = false
  #looked = -Infinity
  /** Under it what was acknowledged can vanish without an error: nothing is served. */
  #refusal: SyncError | null = null
  #detail: string | null = null

  constructor (session: Session) {
    this.#session = session
  }

  /** @throws SyncError storage_unavailable when Redis would drop the log to make room, or does not answer */
  async open (): Promise<void> {
    await this.#look()
    this.#schedule()
    this.assertKept()
  }

  close (): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  /** @throws SyncError storage_unavailable while Redis may drop the log to make room */
  assertKept (): void {
    if (this.#refusal !== null) throw this.#refusal
  }

  health (): StoreHealth {
    const trouble = this.#refusal ?? this.#session.trouble ?? this.#session.writeTrouble
    return trouble === null ? { writable: true, detail: this.#detail } : { writable: false, detail: trouble.message }
  }

  async #look (): Promise<void> {
    this.#looked = performance.now()
    const [persistence, memory] = await this.#session.run(CHECK, [])
    const policy = fieldOf(memory, 'maxmemory_policy')
    this.#refusal = policy.startsWith('allkeys') ? evicting(policy) : null
    const lost = whatIsLost(fieldOf(persistence, 'aof_enabled') === '1', await this.#appendfsync())
    this.#detail = [lost, policy.startsWith('volatile') ? volatile(policy) : ''].filter(Boolean).join(' ') || null
    if (this.#session.writeTrouble !== null) await this.#session.run(PROBE, [Date.now()])
  }

  /** '' where it cannot be asked for. */
  async #appendfsync (): Promise<string> {
    try {
      const answer = await (await this.#session.redis()).command(['CONFIG', 'GET', 'appendfsync'])
      return Array.isArray(answer) && typeof answer[1] === 'string' ? answer[1] : ''
    } catch (error) {
      // What managed servers forbid; one that does not answer has been noticed before.
      if (error instanceof RedisFailure) return ''
      throw error
    }
  }

  #schedule (): void {
    if (this.#closed) return
    clearTimeout(this.#timer)
    const again = (): void => this.#schedule()
    this.#timer = setTimeout(() => {
      if (this.health().writable && performance.now() - this.#looked < EVERY_MS) again()
      else this.#look().then(again, again)
    }, SOON_MS)
    this.#timer.unref()
  }
}

function fieldOf (info: Buffer, name: string): string {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info.toString('latin1'))?.[1] ?? ''
}

function whatIsLost (appendOnly: boolean, fsync: string): string {
  if (!appendOnly) return 'Redis does not write what it acknowledges to its disk (appendonly no): a restart loses it. Set appendonly yes and appendfsync always.'
  if (fsync === 'always') return ''
  if (fsync === 'everysec') return 'A power cut loses up to two seconds of acknowledged changes (appendfsync everysec). Set appendfsync always.'
  if (fsync === 'no') return 'A power cut loses half a minute of acknowledged changes (appendfsync no). Set appendfsync always.'
  return 'Whether Redis keeps acknowledged changes over a power cut cannot be checked (CONFIG GET is not allowed): see that appendfsync is always.'
}

function volatile (policy: string): string {
  return `When its memory is full, Redis drops tickets and counts of limits before their time (maxmemory-policy ${policy}). Set maxmemory-policy noeviction.`
}

function evicting (policy: string): SyncError {
  return new SyncError('storage_unavailable', { detail: `When its memory is full, this Redis drops any of its keys (maxmemory-policy ${policy}), the change log among them, without an error: set maxmemory-policy noeviction.` })
}
