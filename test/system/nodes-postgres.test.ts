/** Four real nodes over one PostgreSQL, behind nginx that deals requests out in turn. */
import { Client } from 'pg'
import t from 'tap'
import { newerBuild } from '../support/nodes.ts'
import { tryNodes } from '../support/nodes-trials.ts'
import { requirePostgres, requireProgram } from '../support/programs.ts'
import type { Service } from '../support/services/place.ts'
import { startPostgres } from '../support/services/postgres.ts'

t.test('PostgreSQL: four nodes behind nginx, and nodes of a newer build that take over one by one', { timeout: 290_000 }, async t => {
  if (!requirePostgres(t) || !requireProgram(t, 'nginx', 'apt-get install nginx')) return
  const service = await startPostgres(t)
  await tryNodes(t, service, { hold: parkTransaction, nextBuild: newerBuild })
  const client = new Client(service.url)
  await client.connect()
  t.match((await client.query('SELECT layout, least FROM pocket.layout')).rows, [{ layout: 2, least: 1 }])
  await client.end()
})

/** Holds the row by which commits are put in order, as a node does that is held in the middle of one. */
async function parkTransaction (service: Service): Promise<() => Promise<void>> {
  const client = new Client(service.url)
  await client.connect()
  await client.query('BEGIN; SELECT head FROM pocket.logs FOR UPDATE')
  return async () => {
    await client.query('COMMIT')
    await client.end()
  }
}
