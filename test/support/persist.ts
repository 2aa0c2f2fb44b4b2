/** A push as a client sends it that gets no answer. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChangeStore, Push } from '../../src/changelog/changelog.ts'

/** As a client does: again, under the same id, until there is an answer. */
export async function persist (store: ChangeStore, push: Push): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    try {
      const result = await store.commit(push)
      if (result.status === 'committed' || result.status === 'seen') return result.first
      throw new Error(result.status)
    } catch (error) {
      if ((error as { code?: string }).code !== 'storage_unavailable' || attempt === 500) throw error
      await sleep(20)
    }
  }
}
