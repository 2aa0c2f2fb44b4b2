/**
 * The suite that holds every change log to the promises of its port. It ships with the package and knows no
 * runner: give it one, and a way to open your log.
 *
 *     import { test } from 'node:test'
 *     await changeLogSuite({ test, open: async () => ({ store, reopen, destroy }) })
 */
import { channelPromises } from './changelog/channels.ts'
import { commitPromises } from './changelog/commit.ts'
import { compactionPromises } from './changelog/compaction.ts'
import { journalPromises } from './changelog/journal.ts'
import { lifetimePromises } from './changelog/lifetime.ts'
import { movingPromises } from './changelog/moving.ts'
import { oncePromises } from './changelog/once.ts'
import { readPromises } from './changelog/read.ts'
import { valuePromises } from './changelog/values.ts'
import type { ChangeLogSuiteOptions } from './changelog/harness.ts'

export type { ChangeLogSuiteOptions, OpenedLog } from './changelog/harness.ts'

const PROMISES = [
  ...commitPromises, ...oncePromises, ...readPromises, ...valuePromises, ...channelPromises, ...compactionPromises,
  ...journalPromises, ...lifetimePromises, ...movingPromises
]

/**
 * Registers a test for every promise the log's own `supports` leaves standing; of an ability it lacks, a test
 * that it is really missing. What processes share is for the adapter's own tests.
 */
export async function changeLogSuite ({ test, open }: ChangeLogSuiteOptions): Promise<void> {
  const asked = await open()
  const { supports } = asked.store
  const promises = PROMISES.filter(({ given, of }) => given?.(supports) !== false && of?.(asked.store) !== false)
  await asked.destroy()
  for (const { title, run } of promises) {
    test(title, async () => {
      const opened = await open()
      try {
        await run(opened, open)
      } finally {
        await opened.destroy()
      }
    })
  }
}
