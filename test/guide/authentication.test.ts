import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import t from 'tap'
import { jwtAuthenticate, resolveJwt } from '../../src/auth/jwt.ts'
import { MemoryChangeLog, PocketServer } from '../../src/index.ts'
import { post, pullOf, pushOf, type Answered } from '../support/app.ts'
import { claims, hmacToken, SECRET } from '../support/tokens.ts'

function pull (url: string, authorization?: string): Promise<Answered> {
  return post(`${url}/sync/pull`, pullOf(), authorization === undefined ? {} : { authorization })
}

t.test('Token-based Authentication: the function\'s user is who writes, and what it throws is 401', async t => {
  const users = new Map([['good', { id: 'ada', role: 'admin' }]])
  const verifyToken = async (token: string): Promise<{ id: string, role: string } | undefined> => users.get(token)
  const pocket = new PocketServer({
    changeLog: new MemoryChangeLog(),
    authenticate: async (token) => {
      // Verify JWT or session token
      const user = await verifyToken(token)
      if (!user) {
        throw new Error('Invalid token')
      }
      return { userId: user.id, role: user.role }
    }
  })
  t.teardown(() => pocket.close())
  const { url } = await pocket.listen(0)
  t.match(await post(`${url}/sync/push`, pushOf('todos', [{ documentId: 'a' }]), { authorization: 'Bearer good' }), { status: 200, json: { success: true } })
  t.match(await pull(url, 'Bearer good'), { status: 200, json: { changes: { todos: [{ documentId: 'a' }] } } })
  t.match(await pull(url, 'Bearer bad'), { status: 401, json: { code: 'invalid_token' } })
  t.match(await pull(url), { status: 401, json: { code: 'not_authenticated' } })
  const { versions } = await pocket.history('todos', 'a')
  t.match(versions, [{ userId: 'ada' }])
})

t.test('With Express Middleware: behind .handler the user that a JWT middleware has set is the user', async t => {
  const check = jwtAuthenticate(resolveJwt({ secret: SECRET }), () => {})
  const jwt = { verify: async (token: string | undefined) => await check(token ?? 'none', {} as never) }
  const app = express()

  app.use('/sync', async (req: any, res, next) => {
    const token = req.headers.authorization?.replace('Bearer ', '')

    try {
      const user = await jwt.verify(token)
      req.user = user
      next()
    } catch {
      res.status(401).json({ error: 'Unauthorized' })
    }
  })

  const pocket = new PocketServer({
    changeLog: new MemoryChangeLog(),
    authenticate: async (_token, req) => {
      return req['user'] // Already verified by middleware
    }
  })
  app.use(pocket.handler)

  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => { await pocket.close(); server.closeAllConnections(); server.close() })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  t.equal((await pull(url, `Bearer ${hmacToken(claims())}`)).status, 200)
  t.match(await pull(url, `Bearer ${hmacToken(claims({ exp: 1 }))}`), { status: 401, json: { error: 'Unauthorized' } })
  t.match(await pull(url), { status: 401, json: { error: 'Unauthorized' } })
})
