import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { masked } from '../../src/cli/masked.ts'
import { runHere } from '../support/program.ts'

t.test('promise 9 (Clear): copy refuses what cannot be meant, and creates nothing', async (t) => {
  const folder = t.testdir()
  const [here, there] = [join(folder, 'here.db'), join(folder, 'there.db')]
  t.match(await runHere(['copy', here, there]), { code: 2, stderr: /backup/ }, 'file to file is backup\'s')
  t.match(await runHere(['copy', ':memory:', there]), { code: 2, stderr: /memory/ })
  t.match(await runHere(['copy', 'postgres://a:b@host/db', 'postgresql://c@host/db']), { code: 2, stderr: /the same/ })
  t.match(await runHere(['copy', here, 'mysql://host']), { code: 2, stderr: /no change log "mysql:"/ })
  t.match(await runHere(['copy', here]), { code: 2, stderr: /<from> <to>/ })
  t.notOk(existsSync(here) || existsSync(there))
})

t.test('promise 6 (Private): no password of a place is ever printed', async (t) => {
  const passwords = ['s3cret', 's3:cret', 's3@cret', 's3/cret', 's3cret%40']
  for (const password of passwords) {
    t.notMatch(masked(`cannot open postgres://user:${password}@host:1/db?sslmode=require: refused`), /s3|cret/, password)
    t.notMatch((await runHere(['serve', '--db', `mysql://user:${password}@host/db`])).stderr, /s3|cret/, password)
  }
  t.equal(masked('redis://:s3cret@host/0 and postgres://u:p@h/db?password=s3cret&x=1'), 'redis://:***@host/0 and postgres://u:***@h/db?password=***&x=1')
  t.equal(masked('postgres://user@host/db and http://127.0.0.1:3000/a'), 'postgres://user@host/db and http://127.0.0.1:3000/a')
})
