/** HELPER: express-pouchdb over LevelDB in a folder. */
import express from 'express'
import makePouch from 'express-pouchdb'
import PouchDB from 'pouchdb'

const folder = process.argv[2]
const OnDisk = PouchDB.defaults({ prefix: `${folder}-` })
const app = express()
app.use('/', makePouch(OnDisk, { mode: 'minimumForPouchDB', logPath: `${folder}.log`, inMemoryConfig: true }))
await new OnDisk('todos').info()
const server = app.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
process.on('disconnect', () => process.exit())
