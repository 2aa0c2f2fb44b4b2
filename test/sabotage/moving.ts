import type { Sabotage } from './sabotage.ts'

const moving = 'test/changelog/moving.test.ts'
const whatever = 'promise 3 (Once), promise 4 (Safe checkpoints) and promise 6 (Private): whatever a log has lived through'
const sqlite = 'test/changelog/sqlite.test.ts'
const interrupted = 'promise 3 (Once), promise 4 (Safe checkpoints) and promise 6 (Private): a log that moves in parts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 4 (Safe checkpoints), move: the epochs of the source stay behind',
    file: 'src/changelog/sqlite/arrivals.ts',
    find: 'for (const { id, first, started } of epochs) epoch.run(id, first, started)',
    replace: 'if (epochs.length > 1_000) epoch.run()',
    test: sqlite,
    title: interrupted
  },
  {
    breaks: 'promise 3 (Once), move: identities that only heads tell stay behind',
    file: 'src/changelog/sqlite/parts.ts',
    find: "['head', this.#headIdentities()], ",
    replace: '',
    test: moving,
    title: whatever
  },
  {
    breaks: 'promise 6 (Private), move: who left a channel is not moved',
    file: 'src/changelog/sqlite/arrivals.ts',
    find: 'flatMap(({ channel }) => this.#channelRow(channel))',
    replace: 'flatMap(({ channel }) => channel.member ? this.#channelRow(channel) : [])',
    test: sqlite,
    title: interrupted
  },
  {
    breaks: 'move: how far it has come is noted before the part has',
    file: 'src/changelog/sqlite/arrivals.ts',
    find: 'for (const record of records) requireText(record)',
    replace: "this.#set.run('moved', progress)\n    for (const record of records) requireText(record)",
    test: moving,
    title: 'promise 9 (Clear): text that a file cannot hold'
  },
  {
    breaks: 'promise 9 (Clear), move: half a log is served',
    file: 'src/changelog/sqlite/migrations.ts',
    find: 'if (!arriving && database',
    replace: 'if (arriving && database',
    test: sqlite,
    title: interrupted
  },
  {
    breaks: 'move: a source that was written meanwhile is not noticed',
    file: 'src/changelog/move.ts',
    find: '.state !== from.state) throw',
    replace: '.log !== from.log) throw',
    test: moving,
    title: 'a source that was served while it was copied'
  },
  {
    breaks: 'move: a copy is called whole though the source went on',
    file: 'src/changelog/moving.ts',
    find: 'own.first === source.head + 1',
    replace: 'own.first <= source.head + 1',
    test: moving,
    title: 'move: a whole copy is known as one'
  },
  {
    breaks: 'promise 6 (Private), program: a password with an @ is printed from there on',
    file: 'src/cli/masked.ts',
    find: "rest.lastIndexOf('@')",
    replace: "rest.indexOf('@')",
    test: 'test/cli/copy.test.ts',
    title: 'promise 6 (Private): a password of any'
  }
]
