/** Several nodes of one log within this process. */
import { MemoryTickets } from '../../../src/auth/tickets.ts'
import { MemoryChangeLog } from '../../../src/changelog/memory.ts'
import { defaultLimits } from '../../../src/config.ts'
import { MemoryPubSub } from '../../../src/pubsub/memory.ts'
import { PocketServer } from '../../../src/server.ts'
import { CONFORMING } from '../conformance.ts'

interface Test { teardown (action: () => unknown): void }

export interface Nodes {
  readonly ports: readonly number[]
  /** One node goes as on SIGTERM, and another one comes in its place. */
  replace (index: number): Promise<void>
  versions (collection: string, documentId: string): Promise<number>
}

/** Ends with the test. */
export async function startNodes (t: Test, count: number): Promise<Nodes> {
  const shared = { changeLog: new MemoryChangeLog(), pubsub: new MemoryPubSub(), ticketStore: new MemoryTickets(defaultLimits) }
  const start = async (port = 0): Promise<{ pocket: PocketServer, port: number }> => {
    const pocket = new PocketServer({ ...CONFORMING, ...shared })
    return { pocket, port: (await pocket.listen(port)).port }
  }
  const nodes = await Promise.all(Array.from({ length: count }, () => start()))
  t.teardown(() => Promise.all(nodes.map(({ pocket }) => pocket.close())))
  return {
    ports: nodes.map(({ port }) => port),
    async replace (index) {
      const { pocket, port } = nodes[index]!
      await pocket.close()
      nodes[index] = await start(port)
    },
    versions: async (collection, documentId) => (await nodes[0]!.pocket.history(collection, documentId)).versions.length
  }
}
