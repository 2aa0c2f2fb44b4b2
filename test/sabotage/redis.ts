import type { Sabotage } from './sabotage.ts'

const test = 'test/changelog/redis-server.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 4 (Safe checkpoints), Redis: a restart is not noticed',
    file: 'src/changelog/redis/lua/common.ts',
    find: "if ARGV[5] == '1' and m[2]",
    replace: "if ARGV[5] == '2' and m[2]",
    test,
    title: 'promise 4 (Safe checkpoints): a Redis that lost acknowledged entries'
  },
  {
    breaks: 'promise 4 (Safe checkpoints), Redis: another entry where this node saw one goes unnoticed',
    file: 'src/changelog/redis/lua/common.ts',
    find: "return there ~= '' and there ~= ARGV[4] and place or nil",
    replace: 'return nil',
    test: 'test/changelog/redis-back.test.ts',
    title: 'promise 4 (Safe checkpoints): keys put back from a backup'
  },
  {
    breaks: 'promise 4 (Safe checkpoints), Redis: a fail-over and back is not told from no fail-over',
    file: 'src/changelog/redis/lua/common.ts',
    find: " .. string.match(info, 'master_replid:(%x+)')",
    replace: '',
    test: 'test/changelog/redis-back.test.ts',
    title: 'promise 4 (Safe checkpoints): a fail-over and back again'
  },
  {
    breaks: 'promise 4 (Safe checkpoints), Redis: an emptied one goes on under the secret of before',
    file: 'src/changelog/redis/session.ts',
    find: 'randomBytes(32)',
    replace: 'new Uint8Array(32)',
    test,
    title: 'promise 4 (Safe checkpoints): a Redis that was emptied'
  },
  {
    breaks: 'promise 1 (Durable), Redis: one that drops keys to make room is served from',
    file: 'src/changelog/redis/watch.ts',
    find: "policy.startsWith('allkeys')",
    replace: "policy === 'allkeys'",
    test,
    title: 'promise 1 (Durable): a Redis that may drop the log'
  },
  {
    breaks: 'promise 3 (Once), Redis: a script that the server forgot is not sent again',
    file: 'src/drivers/redis.ts',
    find: "if (!hasCode(error, 'NOSCRIPT')) throw error",
    replace: 'throw error',
    test,
    title: 'promise 3 (Once): forgotten scripts'
  },
  {
    breaks: 'promise 1 (Durable), Redis: reads need memory to be free',
    file: 'src/changelog/redis/layout.ts',
    find: "return script(keys, body, 'no-writes')",
    replace: 'return script(keys, body)',
    test,
    title: 'promise 1 (Durable): a full memory'
  },
  {
    breaks: 'commit, Redis: heads that moved do not keep a push from being written',
    file: 'src/changelog/redis/lua/commit.ts',
    find: 'if moved then return moved end',
    replace: '',
    test: 'test/changelog/redis.test.ts',
    title: 'commit: a push is all or nothing'
  },
  {
    breaks: 'promise 6 (Private), Redis: a node goes on filing by a rule that was replaced',
    file: 'src/changelog/redis/lua/commit.ts',
    find: 'filed_by ~= files_by then',
    replace: 'filed_by == nil then',
    test: 'test/changelog/redis-filing.test.ts',
    title: 'promise 6 (Private): a node that files by'
  },
  {
    breaks: 'promise 6 (Private), Redis: leaving a channel is not noted',
    file: 'src/changelog/redis/lua/commit.ts',
    find: 'place(channel, before, 0)',
    replace: "redis.call('ZREM', places, channel_place(number_of_channel(channel), position_, member, entry.name))",
    test: 'test/changelog/redis.test.ts',
    title: 'promise 6 (Private): a document that left is removed where it left'
  }
]
