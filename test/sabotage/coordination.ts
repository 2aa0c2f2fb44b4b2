import type { Sabotage } from './sabotage.ts'

const memory = 'test/coordination/memory.test.ts'
const redis = 'test/coordination/redis.test.ts'
const postgres = 'test/coordination/postgres.test.ts'
const ticket = 'promise 6 (Private): of all nodes that take a ticket at once'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 6 (Private): on PostgreSQL a ticket is read in one step and deleted in another',
    file: 'src/coordination/postgres.ts',
    find: 'text: `delete from ${' + 'this.#schema}.coordination_tickets where hash = $1 returning content, until > clock_timestamp() as good`, values: [hash] })',
    replace: 'text: `select content, until > clock_timestamp() as good from ${' + 'this.#schema}.coordination_tickets where hash = $1`, values: [hash] })\n    await this.#pool.query({ text: `delete from ${' + 'this.#schema}.coordination_tickets where hash = $1`, values: [hash] })',
    test: postgres,
    title: ticket
  },
  {
    breaks: 'promise 6 (Private): on Redis a ticket that was taken stays',
    file: 'src/coordination/redis/scripts.ts',
    find: "redis.call('DEL', KEYS[1])\nredis.call('ZREM'",
    replace: "redis.call('ZREM'",
    test: redis,
    title: ticket
  },
  {
    breaks: 'promise 7 (Isolated): shares are not taken out of the account',
    file: 'src/coordination/redis/scripts.ts',
    find: 'left = had - taken',
    replace: 'left = had',
    test: redis,
    title: 'promise 7 (Isolated): a user who asks as much as one may on two nodes'
  },
  {
    breaks: 'promise 7 (Isolated): nodes do not wait for each other before they count a stream',
    file: 'src/coordination/postgres/migrations.ts',
    find: "perform pg_advisory_xact_lock('${" + "schema.replaceAll(\"'\", \"''\")}.coordination_streams'::regclass::int, hashtext(new_owner));",
    replace: '',
    test: postgres,
    title: 'promise 7 (Isolated): an owner never has more streams'
  },
  {
    breaks: 'promise 7 (Isolated): a node waits for a place that never answers',
    file: 'src/sync/guarded.ts',
    find: 'inTime(() => run(coordination), PATIENCE, clock)',
    replace: 'inTime(() => run(coordination), Infinity, clock)',
    test: memory,
    title: 'promise 7 (Isolated): a place that does not answer'
  },
  {
    breaks: 'promise 7 (Isolated): while the place is away, nobody is limited',
    file: 'src/http/shared-budgets.ts',
    find: 'if (!await this.#ask(key, share, cost)) return this.#own.take(key, cost)',
    replace: 'if (!await this.#ask(key, share, cost)) return 0',
    test: memory,
    title: 'promise 7 (Isolated): a place that never answers'
  },
  {
    breaks: 'promise 7 (Isolated): nobody is rung when PostgreSQL is listened to again',
    file: 'src/pubsub/postgres/listener.ts',
    find: 'if (anew) this.#options.onAnew()',
    replace: '',
    test: 'test/pubsub/postgres.test.ts',
    title: 'promise 7 (Isolated): cut off'
  },
  {
    breaks: 'promise 7 (Isolated): nobody is rung when Redis is listened to again',
    file: 'src/pubsub/redis.ts',
    find: 'if (message === null) this.#topics.ringAll()',
    replace: 'if (message === null) this.#topics.ring(\'\')',
    test: 'test/pubsub/redis.test.ts',
    title: 'promise 7 (Isolated): cut off'
  }
]
