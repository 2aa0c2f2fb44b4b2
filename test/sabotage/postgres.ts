import type { Sabotage } from './sabotage.ts'

const test = 'test/changelog/postgres.test.ts'
const server = 'test/changelog/postgres-server.test.ts'
const faults = 'test/changelog/postgres-faults.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 2 (Ordered), PostgreSQL: sequences are taken without the lock of the log',
    file: 'src/changelog/postgres/lineage.ts',
    find: 'WHERE l.log = ${this.log} FOR UPDATE`', // eslint-disable-line no-template-curly-in-string
    replace: 'WHERE l.log = ${this.log}`', // eslint-disable-line no-template-curly-in-string
    test,
    title: 'promise 2 (Ordered): while a transaction that has taken its place is parked'
  },
  {
    breaks: 'promise 1 (Durable), PostgreSQL: a push is answered before its COMMIT',
    file: 'src/changelog/postgres/connection.ts',
    find: 'const [last, end] = await Promise.allSettled([this.run(statement, values), this.#ask({ text: \'COMMIT\' })])',
    replace: 'const [last, end] = await Promise.allSettled([this.run(statement, values), this.#ask({ text: \'ROLLBACK\' }).then(answer => ({ ...answer, command: \'COMMIT\' }))])',
    test: server,
    title: 'promise 1 (Durable): a server that is killed under load'
  },
  {
    breaks: 'promise 3 (Once), PostgreSQL: who else sent a push is not looked up under the lock',
    file: 'src/changelog/postgres/group.ts',
    find: 'if (seen !== undefined) {',
    replace: 'if (seen !== undefined && push.entries.length === 0) {',
    test,
    title: 'promise 3 (Once): the same push at several nodes at once'
  },
  {
    breaks: 'epochs, PostgreSQL: a log that was taken back is answered from as if nothing had happened',
    file: 'src/changelog/postgres/lineage.ts',
    find: '(!sameServer || head < known.head || !this.#holdsOwn(epochs))',
    replace: '(!this.#holdsOwn(epochs))',
    test: server,
    title: 'epochs: of a log that was taken back to an earlier state'
  },
  {
    breaks: 'promise 6 (Private), PostgreSQL: what a standby holds is shown as it is',
    file: 'src/changelog/postgres/replica.ts',
    find: 'page.rows.filter(({ position }) => heads.has(position))',
    replace: 'page.rows.filter(() => heads !== null)',
    test: server,
    title: 'promise 4 (Safe checkpoints) and promise 6 (Private): pages from a standby'
  },
  {
    breaks: 'a connection to PostgreSQL that ends while it is handed out ends the process',
    file: 'src/drivers/postgres.ts',
    find: "pool.on('connect', mindClient)",
    replace: '',
    test: faults,
    title: 'promise 7 (Isolated): a connection that is ended as soon as it is made'
  },
  {
    breaks: 'promise 6 (Private), PostgreSQL: an old node goes on to file by its channels what a new one has filed by others',
    file: 'src/changelog/postgres/writer.ts',
    find: 'return filedAs !== null && filedBy !== null && filedBy !== filedAs',
    replace: 'return filedAs === null && filedBy === null && filedBy !== filedAs',
    test: faults,
    title: 'promise 6 (Private): a node whose channels are not those'
  },
  {
    breaks: 'epochs, PostgreSQL: a table that was restored counts as the one it was',
    file: 'src/changelog/postgres/lineage.ts',
    find: " || '/' || coalesce(pg_relation_filenode(l.tableoid), 0)",
    replace: '',
    test: faults,
    title: 'epochs: of a log that was taken back, one begins'
  },
  {
    breaks: 'promise 7 (Isolated), PostgreSQL: who waits for a log that is held keeps others from their turns',
    file: 'src/changelog/postgres/turns.ts',
    find: 'Math.min(FIRST_MS, waitMs)',
    replace: 'Math.max(FIRST_MS, waitMs)',
    test: faults,
    title: 'promise 7 (Isolated): logs that are held up'
  },
  {
    breaks: 'promise 7 (Isolated), PostgreSQL: its plans are those for empty tables until it looks by itself',
    file: 'src/changelog/postgres/writer.ts',
    find: 'this.#statistics.grown(held.head, group.head)',
    replace: '',
    test: server,
    title: 'tables that have grown are looked at'
  }
]
