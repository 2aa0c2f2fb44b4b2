import type { Sabotage } from './sabotage.ts'

const attacks = 'test/security/tenants.test.ts'
const open = 'test/tenants/open-tenants.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 6 (Private), tenants: two names share a file where cases are not told apart',
    file: 'src/changelog/sqlite/tenant.ts',
    find: 'const safe = DEVICE',
    replace: 'name = name.toLowerCase()\n  const safe = DEVICE',
    test: attacks,
    title: 'promise 6 (Private): no name leaves its folder'
  },
  {
    breaks: 'promise 6 (Private), tenants: a ticket opens the stream of whoever comes first',
    file: 'src/auth/tickets.ts',
    find: '...tenant !== undefined && { tenant }, expiresAt: expiresAt',
    replace: "tenant: tenant === undefined ? '' : 'other', expiresAt: expiresAt",
    test: attacks,
    title: 'promise 6 (Private): a ticket opens'
  },
  {
    breaks: 'promise 6 (Private), tenants: streams of two logs are called the same',
    file: 'src/compose.ts',
    find: 'crowd: node.crowd, onStreamGone',
    replace: 'crowd: new Crowd(), onStreamGone',
    test: attacks,
    title: 'promise 6 (Private): a stream brings'
  },
  {
    breaks: 'promise 6 (Private), tenants: whoever names no tenant shares one',
    file: 'src/http/authenticate.ts',
    find: 'if (isTenant(name)) return name',
    replace: "if (name !== late) return isTenant(name) ? name : 'nobody'",
    test: attacks,
    title: 'promise 6 (Private): a token that names no tenant'
  },
  {
    breaks: 'promise 7 (Isolated), tenants: users who are called the same pay for each other',
    file: 'src/auth/user.ts',
    find: 'return tenant === undefined ? user.id : ',
    replace: 'return tenant !== \'\' ? user.id : ',
    test: attacks,
    title: 'promise 7 (Isolated): who spends'
  },
  {
    breaks: 'promise 7 (Isolated), tenants: a log is closed under who works on it',
    file: 'src/tenants/open-tenants.ts',
    find: 'slot.opened === null || slot.users > 0 || ',
    replace: 'slot.opened === null || ',
    test: open,
    title: 'promise 7 (Isolated): never are more'
  },
  {
    breaks: 'promise 7 (Isolated), tenants: one that is being closed leaves its place at once',
    file: 'src/tenants/open-tenants.ts',
    find: 'this.#slots.size - this.#waiting.size + this.#closing.size',
    replace: 'this.#slots.size - this.#waiting.size',
    test: open,
    title: 'promise 7 (Isolated): never are more'
  },
  {
    breaks: 'promise 7 (Isolated), tenants: what streams keep is closed',
    file: 'src/tenants/tenant-logs.ts',
    find: 'isKept: ({ feed }) => feed.size > 0',
    replace: 'isKept: ({ feed }) => feed.size < 0',
    test: 'test/tenants/tenants.test.ts',
    title: 'promise 7 (Isolated): while streams hold all places'
  }
]
