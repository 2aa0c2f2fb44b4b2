import { existsSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { masked, maskedPlace } from '../../src/cli/masked.ts'
import { runHere } from '../support/program.ts'

t.test('promise 9 (Clear): copy refuses what cannot be meant, and creates nothing', async (t) => {
  const folder = t.testdir()
  const [here, there] = [join(folder, 'here.db'), join(folder, 'there.db')]
  t.match(await runHere(['copy', here, there]), { code: 2, stderr: /backup/ }, 'file to file is backup\'s')
  t.match(await runHere(['copy', ':memory:', there]), { code: 2, stderr: /memory/ })
  t.match(await runHere(['copy', 'postgres://a:b@host/db', 'postgresql://c@host/db']), { code: 2, stderr: /the same/ })
  t.match(await runHere(['copy', here, 'mysql://host']), { code: 2, stderr: /no change log "mysql:"/ })
  t.match(await runHere(['copy', 'redis://[bad', 'redis://host']), { code: 2, stderr: /is no URL/ })
  for (const command of [['copy', here, 'redis://host#tenant=%zz'], ['stats', '--db', 'redis://host#tenant=%zz'], ['serve', '--db', 'postgres://host/db#tenant=%zz']]) {
    t.match(await runHere(command), { code: 2, stderr: /"%zz" after #tenant= .*%25/ })
  }
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

t.test('promise 6 (Private): a password of any characters is in no name of a place, and in no message about one', async (t) => {
  const printable = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map(code => String.fromCharCode(code)), minLength: 1, maxLength: 12 })
  const ends = ['host', 'host:1/db?sslmode=require', '[bad', '127.0.0.1/0#tenant=a']
  fc.assert(fc.property(fc.constantFrom('postgres://', 'rediss://', 'postgres:', 'redis:/', ' redis://', 'postgres//'), fc.constantFrom('user:', ':', ''), printable, fc.boolean(), fc.constantFrom(...ends), (scheme, user, text, encoded, end) => {
    const password = `Zq${text}qZ`
    for (const place of [`${scheme}${user}${encoded ? encodeURIComponent(password) : password}@${end}`, `${scheme}user@${end}${end.includes('?') ? '&' : '?'}password=${encoded ? encodeURIComponent(password) : password}`]) {
      // Alone it is a user by the rules of URLs, at Redis apart; with a colon in it, it is one with a password.
      if (user === '' && place.endsWith(`@${end}`) && (password.includes(':') || /^postgres/.test(scheme))) continue
      for (const printed of [maskedPlace(place), masked(`cannot open ${place}: "${JSON.stringify(place).slice(1, -1)}" is refused`, [place])]) {
        if (/Zq|qZ/.test(printed)) throw new Error(printed)
      }
    }
  }), { numRuns: 2000 })
  t.equal(maskedPlace('postgres://u:s3c"ret@host/db'), 'postgres://u:***@host/db')
  t.equal(maskedPlace('rediss://s3cret@[bad'), 'rediss://***@[bad')
  t.equal(maskedPlace('postgres:u:s3cret@h/db'), 'postgres:***@h/db')
  for (const path of ['./a@b.db', 'sqlite:/data/a:b@c.db', '/data/pocket.db', 'postgres://user@host/db', 'redis://host/0?family=6']) t.equal(maskedPlace(path), path)
  for (const place of ['postgres://u:s3c"ret@', 'rediss://s3cret@[bad', 'postgres:u:s3cret@h/db', 'postgres://u:s3 cret@host:x/db', 'redis://h:1/x?password=s3 cret']) {
    for (const command of [['stats', '--db', place], ['copy', place, 'there.db'], ['copy', 'here.db', place, '--tenant=a'], ['serve', `--db=${place}`, '--port', 'x']]) {
      const { stdout, stderr } = await runHere(command, { env: { POCKET_DB: place } })
      t.notMatch(stdout + stderr, /s3|cret/, command.join(' '))
    }
  }
})
