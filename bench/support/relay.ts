/** HELPER: passes bytes on to a server and counts the requests among them: what got through a cache. */
import { connect, createServer, type AddressInfo } from 'node:net'
import { answerQuestions } from './processes.ts'

const target = Number(process.argv[2])
const MARK = Buffer.from('GET /sync/')
let requests = 0

/** A request of a few hundred bytes comes in one piece. */
function count (bytes: Buffer): void {
  for (let at = bytes.indexOf(MARK); at !== -1; at = bytes.indexOf(MARK, at + MARK.length)) requests++
}

const server = createServer({ noDelay: true }, client => {
  const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true })
  client.on('data', count)
  client.pipe(upstream).pipe(client)
  for (const socket of [client, upstream]) socket.on('error', () => { client.destroy(); upstream.destroy() })
})
server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as AddressInfo).port }))
answerQuestions(() => ({ requests }))
