/** The ready-made configurations of the README: what users copy is what is run. */
import { readFileSync } from 'node:fs'

const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')

export interface Place {
  /** What a test changes in the configuration. */
  readonly rewrite?: ((text: string) => string) | undefined
  /** Port on 127.0.0.1 where the proxy listens. */
  readonly port: number
  /** A second one, where it needs that. */
  readonly inner: number
  /** Where it asks: the server, or several nodes. */
  readonly targets: readonly number[]
  readonly folder: string
  /** One PEM each, and one of both. */
  readonly cert: string
  readonly key: string
  readonly pem: string
}

/** The block that begins with this line, of the sections "Behind a proxy" and "Behind a load balancer". @throws Error when there is none */
export function readmeBlock (firstLine: string): string {
  const sections = readme.split(/^## /m).filter(part => /^Behind a (proxy|load balancer)\n/.test(part)).join('')
  const blocks = [...sections.matchAll(/^```\w+\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block)
  const found = blocks.find(block => block.startsWith(`${firstLine}\n`))
  if (found === undefined) throw new Error(`the README has no configuration that begins with "${firstLine}"`)
  return found
}

/** The block with its ports and paths replaced. @param listen what it listens on, and what to put there */
export function placed (firstLine: string, { rewrite = same, targets, folder, cert, key, pem }: Place, listen: Readonly<Record<string, string>>): string {
  const nodes = Object.fromEntries(targets.map((port, index) => [`10.0.0.${index + 1}:3000`, `127.0.0.1:${port}`]))
  const replaced = { '127.0.0.1:3000': `127.0.0.1:${targets[0]}`, ...nodes, '/etc/ssl/sync.crt': cert, '/etc/ssl/sync.key': key, '/etc/ssl/sync.pem': pem, '/var/cache/nginx': folder, ...listen }
  let text = readmeBlock(firstLine)
  for (const [from, to] of Object.entries(replaced)) text = text.replaceAll(from, to)
  for (const from of Object.keys(listen)) if (!readmeBlock(firstLine).includes(from)) throw new Error(`"${firstLine}" has no ${from}`)
  return rewrite(text)
}

const same = (text: string): string => text

/** A file that Debian's package brings, less the lines that match: users, pid files and logs that only root may write. */
export function debian (path: string, without: RegExp): string {
  return readFileSync(path, 'utf8').split('\n').filter(line => !without.test(line)).join('\n')
}
