/** The network's side of the server as the program's options say it: TLS, proxies, browsers of other origins, limits. */
import { readFile } from 'node:fs/promises'
import { watchFile, unwatchFile } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { CorsOptions, EdgeOptions, TlsOptions } from '../edge.ts'
import { resolveEdge } from '../edge.ts'
import { listOf } from './arguments.ts'
import { CommandError, UsageError } from './exit.ts'

export const edgeOptions = {
  'tls-cert': { type: 'string', value: '<file>', env: 'POCKET_TLS_CERT', summary: 'certificate with those above it, PEM: HTTPS, HTTP/2' },
  'tls-key': { type: 'string', value: '<file>', env: 'POCKET_TLS_KEY', summary: 'its key, PEM' },
  'cors-origin': { type: 'string', value: '<origins>', env: 'POCKET_CORS_ORIGIN', summary: 'origins whose pages may use this server: a,b or *' },
  'trust-proxy': { type: 'string', value: '<proxies>', env: 'POCKET_TRUST_PROXY', summary: 'whose X-Forwarded-For counts: loopback,10.0.0.0/8; how many' },
  'no-rate-limit': { type: 'boolean', env: 'POCKET_NO_RATE_LIMIT', summary: 'let users and addresses ask and change as much as they like' }
} as const

type Given = { readonly [Name in Exclude<keyof typeof edgeOptions, 'no-rate-limit'>]: string | undefined } & { readonly 'no-rate-limit': boolean }

/** @throws UsageError, CommandError naming the file that cannot be used */
export async function edgeOf (given: Given): Promise<EdgeOptions> {
  const cors = given['cors-origin'] === undefined ? undefined : { origins: listOf(given['cors-origin']) } satisfies CorsOptions
  const trustProxy = given['trust-proxy'] === undefined ? undefined : trustOf(given['trust-proxy'])
  const tls = await tlsOf(given)
  const options = { ...cors && { cors }, ...trustProxy !== undefined && { trustProxy }, ...tls && { tls }, ...given['no-rate-limit'] && { rateLimit: false as const } }
  try {
    resolveEdge(options)
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
  return options
}

function trustOf (text: string): number | boolean | string[] {
  if (/^\d{1,2}$/.test(text)) return Number(text)
  return text === 'true' ? true : text === 'false' ? false : listOf(text)
}

async function tlsOf (given: Pick<Given, 'tls-cert' | 'tls-key'>): Promise<TlsOptions | undefined> {
  const { 'tls-cert': cert, 'tls-key': key } = given
  if (cert === undefined && key === undefined) return undefined
  if (cert === undefined || key === undefined) throw new UsageError('--tls-cert and --tls-key need each other')
  const tls = { cert: await textOf('--tls-cert', cert), key: await textOf('--tls-key', key) }
  try {
    createSecureContext(tls)
  } catch (error) {
    throw new CommandError('log', `cannot use ${cert} with ${key}: ${(error as Error).message}`, error)
  }
  return tls
}

async function textOf (option: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new CommandError('log', `cannot read the file of ${option}: ${(error as Error).message}`, error)
  }
}

/** How often the files are looked at, ms. */
const LOOK_MS = 1000

/** Whenever one of the files is another: renewals need no restart. @returns ends it */
export function watchTls (given: Pick<Given, 'tls-cert' | 'tls-key'>, renew: (read: () => Promise<TlsOptions | undefined>) => void): () => void {
  const paths = [given['tls-cert'], given['tls-key']].filter(path => path !== undefined)
  const changed = (): void => renew(() => tlsOf(given))
  for (const path of paths) watchFile(path, { interval: LOOK_MS, persistent: false }, changed)
  return () => { for (const path of paths) unwatchFile(path, changed) }
}
