import { mint } from '../../auth/mint.ts'
import type { SigningKey } from '../../auth/mint.ts'
import { command } from '../command.ts'
import { UsageError } from '../exit.ts'
import { issuerOptions, jwtFiles, keyFrom, secretFrom } from '../jwt.ts'
import { spanOf } from '../retention.ts'

/** Claims that have an option of their own, or that no trial needs. */
const reserved: ReadonlySet<string> = new Set(['sub', 'role', 'exp', 'iat', 'nbf', 'iss', 'aud', '__proto__'])

export const token = command({
  name: 'token',
  summary: 'sign a token for a user, to try things out',
  usage: '',
  operands: { min: 0, max: 0 },
  about: `Prints the token and nothing else. It is signed with the secret that the server checks tokens with, or with
the private key of its --jwt-public-key.
${jwtFiles}
A claim whose value is JSON is taken as that, any other as text.`,
  options: {
    user: { type: 'string', value: '<id>', summary: 'whose token it is: its sub' },
    role: { type: 'string', value: '<name>', summary: 'its claim role' },
    claim: { type: 'string', value: '<name>=<value>', multiple: true, summary: 'another claim; may be given again' },
    expires: { type: 'string', value: '<time>', default: '1h', summary: 'how long it is valid: 30s, 15m, 12h, 7d' },
    ...issuerOptions,
    'jwt-private-key': { type: 'string', value: '<path>', env: 'POCKET_JWT_PRIVATE_KEY', summary: 'private key to sign with: a PEM file, or the PEM itself' }
  },

  async run ({ options, env, now, stdout }) {
    const { user, role, expires, 'jwt-issuer': iss, 'jwt-audience': aud } = options
    if (user === undefined || !/^[^\p{Cc}\p{Cs}]{1,255}$/u.test(user)) throw new UsageError('--user is missing, or not 1 to 255 characters without control characters')
    const span = spanOf(expires)
    if (!(span > 0)) throw new UsageError(`--expires is a time like 30s, 15m, 12h or 7d, not "${expires}"`)
    const iat = Math.floor(now() / 1000)
    const claims = { ...claimsOf(options.claim), sub: user, ...role !== undefined && { role }, ...iss !== undefined && { iss }, ...aud !== undefined && { aud }, iat, exp: iat + span / 1000 }
    const key = await keyOf(await secretFrom(options['jwt-secret'], env), await keyFrom('--jwt-private-key', options['jwt-private-key'], undefined))
    await stdout.write(`${await signed(key, claims)}\n`)
    return 0
  }
})

function claimsOf (words: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(words.map((word) => {
    const [, name = '', value = ''] = /^([^=]+)=(.*)$/s.exec(word) ?? []
    if (name === '' || reserved.has(name)) throw new UsageError(`--claim is <name>=<value>, and not one of ${[...reserved].join(', ')}`)
    return [name, parsed(value)]
  }))
}

function parsed (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

async function keyOf (secret: string | undefined, privateKey: string | undefined): Promise<SigningKey> {
  if (secret !== undefined && privateKey === undefined) return { secret }
  if (privateKey !== undefined && secret === undefined) return { privateKey }
  throw new UsageError('token needs either --jwt-secret or --jwt-private-key: the server\'s own')
}

async function signed (key: SigningKey, claims: Readonly<Record<string, unknown>>): Promise<string> {
  try {
    return await mint(key, claims)
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message.replace('jwt.secret', '--jwt-secret'))
    throw error
  }
}
