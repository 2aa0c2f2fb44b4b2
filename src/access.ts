/** Who may do what: the application's own rules, as options of the server. */
import type { IncomingMessage } from 'node:http'

/** Who: the result of authentication. */
export interface User {
  readonly id: string
  readonly userId: string
  readonly [claim: string]: unknown
}

/** A document as the application knows it. */
export type AppDocument = Readonly<Record<string, any>>

/** What a user does to a document. */
export type Operation = 'read' | 'write'

/**
 * Who sends this token: an object with `id`, `userId` or `sub`, or null for nobody. Without an `Authorization: Bearer`
 * header the token is empty; the request is Node's, with whatever an earlier middleware has put on it.
 */
export type Authenticate = (token: string, request: IncomingMessage & Record<string, any>) => object | null | undefined | Promise<object | null | undefined>

/** Whether a user may read, or write, this version of a document. Only `true` allows; what it throws denies. */
export type Authorize = (user: any, collection: string, operation: Operation, document: AppDocument) => boolean | Promise<boolean>

/** The names under which a document is filed when it is written. Must depend on nothing but its arguments. */
export type Channels = (collection: string, document: AppDocument) => readonly string[]

/** The channels that a user reads. Asked for every page and live batch. */
export type ChannelsOf = (user: any) => readonly string[] | Promise<readonly string[]>

/** Changes whenever what `authorize` lets a user read changes for another reason than the documents: clients then start over. */
export type AccessVersion = (user: any) => string | number | Promise<string | number>

export interface AccessOptions {
  /** Who asks: `(token, request) => user | null`; see [Authentication](#authentication). */
  authenticate?: Authenticate
  /** Who may read or write a document: `(user, collection, operation, document) => boolean`, sync or async; see [Authorization](#authorization). */
  authorize?: Authorize
  /** The channels of a document: `(collection, document) => string[]`; with `channelsOf`. See [Channels](#channels). */
  channels?: Channels
  /** The channels that a user reads: `(user) => string[]`; with `channels`. See [Channels](#channels). */
  channelsOf?: ChannelsOf
  /** A value that changes when a user's rights do; see [Authorization](#authorization). */
  accessVersion?: AccessVersion
}

/** The rules that were given; null for those that were not. */
export type AccessRules = { readonly [Name in keyof AccessOptions]-?: NonNullable<AccessOptions[Name]> | null }

const names = ['authenticate', 'authorize', 'channels', 'channelsOf', 'accessVersion'] as const satisfies ReadonlyArray<keyof AccessOptions>

/** @throws TypeError naming the option that is wrong */
export function resolveAccess (options: AccessOptions): AccessRules {
  for (const name of names) if (options[name] !== undefined && typeof options[name] !== 'function') throw new TypeError(`${name} must be a function`)
  const { authenticate = null, authorize = null, channels = null, channelsOf = null, accessVersion = null } = options
  if ((channels === null) !== (channelsOf === null)) throw new TypeError('channels and channelsOf need each other: one files documents, the other says who reads them')
  return Object.freeze({ authenticate, authorize, channels, channelsOf, accessVersion })
}
