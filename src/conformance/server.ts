/**
 * The suite that holds a server to the wire, over HTTP and through whatever lies between. It ships with the package
 * and knows no runner: give it one, an address, and two users where the server asks who they are.
 *
 *     import { test } from 'node:test'
 *     await serverSuite({ test, baseUrl: 'https://sync.example.com', users: [{ token: alice }, { token: bob }] })
 *
 * It leaves documents in a collection of that server, so it is for one that is being set up.
 */
import { changesPromises } from './server/changes.ts'
import { ground, play, type ServerSuiteOptions } from './server/harness.ts'
import { http2Promises } from './server/http2.ts'
import { problemPromises } from './server/problems.ts'
import { pullPromises } from './server/pull.ts'
import { pushPromises } from './server/push.ts'
import { sizePromises } from './server/sizes.ts'
import { snapshotPromises } from './server/snapshot.ts'
import { streamPromises } from './server/stream.ts'

export type { ServerSuiteOptions, SuiteUser } from './server/harness.ts'

const PROMISES = [...pushPromises, ...pullPromises, ...streamPromises, ...changesPromises, ...snapshotPromises, ...problemPromises, ...sizePromises, ...http2Promises]

/**
 * Registers a test for every promise that the server gives by its own `/sync/info`, to these users, by this entrance.
 * @throws when the address answers with no `/sync/info`
 */
export async function serverSuite (options: ServerSuiteOptions): Promise<void> {
  const asked = await ground(options)
  for (const promised of PROMISES) {
    if (promised.given?.(asked) !== false) options.test(promised.title, () => play(promised, asked.info, options))
  }
}
