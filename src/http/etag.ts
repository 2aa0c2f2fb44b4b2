/** Strong validators of answers, and whether a client has what they name (RFC 9110, section 8.8.3 and 13.1.2). */
import { hash } from 'node:crypto'
import type { Coding } from './coding.ts'

const suffixes: Readonly<Record<Coding, string>> = { zstd: '-z', gzip: '-g', br: '-b' }

/** Of the plain text, whatever coder or level a later version uses; each coding is a representation of its own. */
export function etagOf (body: string | Buffer, coding: Coding | null): string {
  return `"${hash('sha256', body, 'base64url').slice(0, 27)}${coding === null ? '' : suffixes[coding]}"`
}

/** @param ifNoneMatch a list, weak ones too: proxies that code an answer weaken its tag */
export function isKnown (etag: string, ifNoneMatch: string | undefined): boolean {
  if (ifNoneMatch === undefined) return false
  return ifNoneMatch.trim() === '*' || [...ifNoneMatch.matchAll(/"[^"]*"/g)].some(([tag]) => tag === etag)
}
