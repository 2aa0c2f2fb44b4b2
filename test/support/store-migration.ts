/** Dies by kill -9 in the middle of the next migration: node store-migration.ts <path>. */
import { connect } from '../../src/changelog/sqlite/connection.ts'
import { migrate } from '../../src/changelog/sqlite/migrations.ts'

const database = connect(process.argv[2]!, { synchronous: 'full' })
const layout = database.pragma('user_version', { simple: true }) as number
const done = (): void => { throw new Error('this step has been done') }
migrate(database, [
  ...Array<typeof done>(layout).fill(done),
  half => {
    half.exec('ALTER TABLE log ADD COLUMN half TEXT; CREATE TABLE half (a INTEGER) STRICT')
    // Enough for pages to reach the WAL before the step is over.
    half.pragma('cache_size = 1')
    const insert = half.prepare('INSERT INTO half VALUES (?)')
    for (let i = 0; i < 100_000; i++) insert.run(i)
    process.kill(process.pid, 'SIGKILL')
  }
])
