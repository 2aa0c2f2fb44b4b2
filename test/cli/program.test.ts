import t from 'tap'
import { nearest } from '../../src/cli/nearest.ts'
import { commands } from '../../src/cli/registry.ts'
import { runHere } from '../support/program.ts'

t.test('--help lists every command, and each command has a help of its own', async (t) => {
  const { code, stdout } = await runHere(['--help'])
  t.equal(code, 0)
  for (const { name, summary, options } of commands) {
    t.ok(stdout.includes(`  ${name} `) && stdout.includes(summary), name)
    for (const words of [[name, '--help'], ['help', name]]) {
      const help = await runHere(words)
      t.equal(help.code, 0)
      t.ok(help.stdout.startsWith(`Usage: pocket-server ${name}`), words.join(' '))
      for (const option of Object.keys(options)) t.ok(help.stdout.includes(`--${option}`), `${name} --${option}`)
    }
  }
})

t.test('every help fits a terminal of 120 columns', async (t) => {
  for (const words of [['--help'], ...commands.map(({ name }) => [name, '--help'])]) {
    const { stdout } = await runHere(words)
    t.strictSame(stdout.split('\n').filter(line => line.length > 120), [], words.join(' '))
  }
})

t.test('promise 9 (Clear): an unknown command ends with 2 and names the one that was meant', async (t) => {
  const slips = new Map([['sreve', 'serve'], ['serv', 'serve']])
  for (const [slip, meant] of slips) {
    const { code, stdout, stderr } = await runHere([slip])
    t.equal(code, 2)
    t.equal(stdout, '')
    t.match(stderr, `there is no command "${slip}"; did you mean ${meant}?`)
  }
  const far = await runHere(['dance'])
  t.equal(far.code, 2)
  t.notMatch(far.stderr, /did you mean/)
  t.match((await runHere(['--port', '0', 'serve'])).stderr, /a command comes first: pocket-server serve/)
})

t.test('the nearest word is the one with the fewest slips, or none', async (t) => {
  const known = ['serve', 'check', 'compact', 'import', 'export']
  for (const [word, meant] of [['chekc', 'check'], ['comp', 'compact'], ['imprt', 'import'], ['xyz', null], ['', null]] as const) t.equal(nearest(word, known), meant, word)
})
