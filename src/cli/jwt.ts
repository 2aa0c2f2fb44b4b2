/** Who asks, as the program's options say it. */
import { readFile } from 'node:fs/promises'
import type { JwtOptions } from '../auth/jwt.ts'
import { resolveJwt } from '../auth/jwt.ts'
import type { Environment } from './command.ts'
import { CommandError, UsageError } from './exit.ts'

/** What the server and `token` need alike. */
export const issuerOptions = {
  'jwt-secret': { type: 'string', value: '<text>', env: 'POCKET_JWT_SECRET', summary: 'secret of tokens, 32 bytes or more; ps shows an argument' },
  'jwt-issuer': { type: 'string', value: '<text>', env: 'POCKET_JWT_ISSUER', summary: 'what iss of a token must be' },
  'jwt-audience': { type: 'string', value: '<text>', env: 'POCKET_JWT_AUDIENCE', summary: 'what aud of a token must name' }
} as const

export const jwtOptions = {
  ...issuerOptions,
  'jwt-public-key': { type: 'string', value: '<path>', env: 'POCKET_JWT_PUBLIC_KEY', summary: 'public key of tokens: a PEM file, or the PEM itself' },
  'jwks-url': { type: 'string', value: '<url>', env: 'POCKET_JWKS_URL', summary: 'where an identity provider has the keys of its tokens' }
} as const

export const jwtFiles = 'POCKET_JWT_SECRET_FILE and POCKET_JWT_PUBLIC_KEY_FILE name files that hold the secret and the key.'

type Given<Options> = { readonly [Name in keyof Options]: string | undefined }

/** @throws CommandError naming the option, never its value */
export async function jwtOf (options: Given<typeof jwtOptions>, env: Environment): Promise<JwtOptions | undefined> {
  const secret = await secretFrom(options['jwt-secret'], env)
  const publicKey = await keyFrom('--jwt-public-key', options['jwt-public-key'], env['POCKET_JWT_PUBLIC_KEY_FILE'])
  const { 'jwks-url': jwksUrl, 'jwt-issuer': issuer, 'jwt-audience': audience } = options
  const given = Object.entries({ secret, publicKey, jwksUrl, issuer, audience }).filter(([, value]) => value !== undefined)
  if (given.length === 0) return undefined
  const jwt: JwtOptions = Object.fromEntries(given)
  try {
    resolveJwt(jwt)
  } catch (error) {
    throw new UsageError((error as Error).message.replace('jwt needs exactly one of secret, publicKey and jwksUrl', 'tokens need exactly one of --jwt-secret, --jwt-public-key and --jwks-url').replace(/\bjwt\.(\w+)/g, (_, name: string) => flags.get(name) ?? name))
  }
  return jwt
}

const flags = new Map([['secret', '--jwt-secret'], ['publicKey', '--jwt-public-key'], ['jwksUrl', '--jwks-url'], ['issuer', '--jwt-issuer'], ['audience', '--jwt-audience']])

/** What was given as an argument everybody on this machine can read. */
export function isShown (secret: string | undefined, env: Environment): boolean {
  return secret !== undefined && secret !== env['POCKET_JWT_SECRET']
}

/** @throws CommandError */
export async function secretFrom (secret: string | undefined, env: Environment): Promise<string | undefined> {
  const file = env['POCKET_JWT_SECRET_FILE'] || undefined
  if (file === undefined) return secret
  if (secret !== undefined) throw new UsageError('both a secret and POCKET_JWT_SECRET_FILE are given: leave one out')
  return (await textOf('POCKET_JWT_SECRET_FILE', file)).replace(/\r?\n$/, '')
}

/** @param pathOrPem a path, or the PEM itself @throws CommandError */
export async function keyFrom (name: string, pathOrPem: string | undefined, file: string | undefined): Promise<string | undefined> {
  if (pathOrPem !== undefined && file) throw new UsageError(`both ${name} and a file of it are given: leave one out`)
  const given = pathOrPem ?? (file || undefined)
  if (given === undefined || given.includes('-----BEGIN')) return given
  return await textOf(name, given)
}

async function textOf (name: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new CommandError('usage', `${name}: the file cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`, error)
  }
}
