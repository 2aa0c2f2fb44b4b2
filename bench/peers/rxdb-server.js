/** HELPER: rxdb-server over RxDB's memory storage: nothing is written to a disk. */
import { createServer } from 'node:net'
import { createRxDatabase } from 'rxdb/plugins/core'
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory'
import { createRxServer } from 'rxdb-server/plugins/server'
import { RxServerAdapterExpress } from 'rxdb-server/plugins/adapter-express'

const text = { type: 'string', maxLength: 200 }
const number = { type: 'number' }

/** Listens on a given port only. */
async function freePort () {
  const probe = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => probe.once('listening', resolve))
  const { port } = probe.address()
  await new Promise(resolve => probe.close(resolve))
  return port
}

const database = await createRxDatabase({ name: 'bench', storage: getRxStorageMemory() })
const { todos } = await database.addCollections({
  todos: {
    schema: {
      version: 0,
      primaryKey: '_id',
      type: 'object',
      properties: {
        _id: { type: 'string', maxLength: 64 },
        title: text,
        note: { type: 'string' },
        done: { type: 'boolean' },
        priority: number,
        tags: { type: 'array', items: { type: 'string' } },
        createdAt: number,
        updatedAt: number,
        version: number
      }
    }
  }
})
const port = await freePort()
const server = await createRxServer({ database, adapter: RxServerAdapterExpress, hostname: '127.0.0.1', port, authHandler: () => ({ data: {}, validUntil: Date.now() + 86_400_000 }) })
server.addReplicationEndpoint({ name: 'todos', collection: todos })
await server.start()
process.send({ port })
process.on('disconnect', () => process.exit())
