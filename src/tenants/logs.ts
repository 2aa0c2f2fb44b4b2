/** The logs that a server has opened, and what it does with all of them. */
import type { Parts } from '../compose.ts'
import type { Logs } from '../http/services.ts'

export interface OpenLogs extends Logs {
  readonly only: Parts | null
  /** Of all that are open. */
  parts (): Parts[]
  /**
   * Work of whoever holds the server object.
   * @param tenant whose log; undefined where there are no tenants
   * @throws TypeError for a tenant where there are none, or none where there are some
   */
  work<T> (tenant: string | undefined, work: (parts: Parts) => Promise<T>): Promise<T>
  /** Nothing is begun by itself any more, and the streams end. */
  drain (drainMs: number): Promise<void>
  /** Once all is drained. What was opened by this is closed. */
  close (): Promise<void>
}
