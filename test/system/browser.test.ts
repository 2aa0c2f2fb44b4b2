import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { createClient, type Client } from '../../src/client/client.ts'
import { build } from '../repo/built.ts'
import { servePage, type Site } from '../support/page/serve.ts'
import { startServer, type ServerProcess } from '../support/process.ts'
import { requireProgram } from '../support/programs.ts'

const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']

interface Scene {
  readonly folder: string
  readonly site: Site
  readonly page: Page
  readonly writer: Client
  /** Kills the server and starts it again on the same data. */
  restart (): Promise<void>
}

async function scene (t: Test): Promise<Scene> {
  build()
  const folder = await mkdtemp(join(tmpdir(), 'pocket-browser-'))
  const db = join(folder, 'log.db')
  let server: ServerProcess = await startServer({ db })
  const site = await servePage(server.port)
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args })
  t.teardown(async () => {
    await browser.close()
    await site.close()
    await server.stop('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })
  const page = await browser.newPage({ viewport: { width: 1100, height: 760 } })
  page.on('pageerror', error => { t.fail(error.message) })
  const writer = createClient({ baseUrl: site.url, timing: { backoffMs: 50, backoffMaxMs: 500 } })
  const restart = async (): Promise<void> => {
    await server.stop('SIGKILL')
    server = await startServer({ db })
    site.target = server.port
  }
  return { folder, site, page, writer, restart }
}

const titles = ['Water the plants', 'Answer Ada’s letter', 'Buy bread & cheese', 'Réserver le train', 'Fix the kitchen tap', '買い物に行く', 'Call the <b>dentist</b>', 'Sort the photos 📷']

async function add (writer: Client, number: number, done = false): Promise<void> {
  const document = { _id: `todo-${number}`, title: titles[number], done }
  const { success } = await writer.push({ collection: 'todos', changes: [{ operation: 'update', documentId: document._id, document }] })
  if (!success) throw new Error('the push was refused')
}

interface Held { documents: Array<[string, unknown]>, sequences: number[] }

function held (page: Page, replica: string): Promise<Held> {
  return page.evaluate(`held(${JSON.stringify(replica)})`)
}

/** Until the newest sequence has come to both replicas of the page. */
async function arrived (page: Page, sequence: number): Promise<void> {
  await page.waitForFunction(`['native', 'client'].every(name => held(name).sequences.at(-1) >= ${sequence})`, undefined, { timeout: 60_000 })
}

async function pulled (client: Client): Promise<Array<[string, unknown]>> {
  const documents = new Map<string, unknown>()
  for await (const { changes } of client.pullAll({ collections: ['todos'] })) {
    for (const { operation, documentId, document } of changes['todos'] ?? []) {
      if (operation === 'delete') documents.delete(documentId)
      else documents.set(documentId, document)
    }
  }
  return [...documents].sort(([a], [b]) => a < b ? -1 : 1)
}

t.test('promise 5 (Live is pull): a browser\'s own EventSource and the client in it show live what a pull gives, across a killed server', async t => {
  if (!requireProgram(t, 'chromium', 'apt-get install chromium')) return
  const { folder, site, page, writer, restart } = await scene(t)
  for (let i = 0; i < 3; i++) await add(writer, i)
  await page.goto(site.url)
  await arrived(page, 3)

  for (let i = 3; i < 6; i++) await add(writer, i)
  await add(writer, 0, true)
  await arrived(page, 7)
  t.equal(await page.locator('#native li.done').count(), 1, 'what is live is shown')

  await restart()
  await add(writer, 6)
  await add(writer, 3, true)
  await writer.push({ collection: 'todos', changes: [{ operation: 'delete', documentId: 'todo-2' }] })
  await add(writer, 7)
  await arrived(page, 11)
  await page.waitForSelector('#native .status.live')
  await page.waitForSelector('#client .status.live')

  const expected = await pulled(writer)
  t.equal(expected.length, 7)
  for (const replica of ['native', 'client']) {
    const { documents, sequences } = await held(page, replica)
    t.strictSame(documents, expected, `${replica}: the documents of a pull`)
    t.ok(sequences.every((sequence, i) => i === 0 || sequence > sequences[i - 1]!), `${replica}: rising without repeat: ${sequences.join(' ')}`)
    t.equal(await page.locator(`#${replica} li`).count(), 7)
  }
  t.equal(await page.locator('#client li', { hasText: 'Call the <b>dentist</b>' }).count(), 1, 'text stays text')
  const picture = process.env['POCKET_SCREENSHOT'] ?? join(folder, 'page.png')
  await page.waitForTimeout(600)
  t.ok((await page.screenshot({ path: picture })).length > 10_000, 'a picture of it')
})
