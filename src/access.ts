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

/** Whose log a user's changes are in: 1 to 128 characters, none of them a control character. What it throws lets nobody in. */
export type TenantOf = (user: any) => string | Promise<string>

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
  /** Gives each tenant a log of its own: `(user) => string`, sync or async; with authentication. See [Tenants](#tenants). */
  tenant?: TenantOf
}

/** The rules that were given; null for those that were not. Of public collections they say that everybody may read them. */
export type AccessRules = { readonly [Name in keyof AccessOptions]-?: NonNullable<AccessOptions[Name]> | null } & {
  /** Where documents of public collections are filed too, for everybody to read and nobody to write; null where there are none. */
  readonly publicChannel: string | null
}

const PUBLIC_CHANNEL = '*public*'

const names = ['authenticate', 'authorize', 'channels', 'channelsOf', 'accessVersion', 'tenant'] as const satisfies ReadonlyArray<keyof AccessOptions>

/** @param open collections that everybody may read: about reads of them no rule is asked. @throws TypeError naming the option that is wrong */
export function resolveAccess (options: AccessOptions, open: ReadonlySet<string> = new Set()): AccessRules {
  for (const name of names) if (options[name] !== undefined && typeof options[name] !== 'function') throw new TypeError(`${name} must be a function`)
  const { authenticate = null, authorize = null, channels = null, channelsOf = null, accessVersion = null, tenant = null } = options
  if ((channels === null) !== (channelsOf === null)) throw new TypeError('channels and channelsOf need each other: one files documents, the other says who reads them')
  if (tenant !== null && authenticate === null) throw new TypeError('tenant needs authenticate or jwt: without them there are no users, and nobody belongs to a tenant')
  if (tenant !== null && open.size > 0) throw new TypeError('tenant and publicCollections exclude each other: who reads without a token belongs to no tenant')
  const rules = { authenticate, authorize, channels, channelsOf, accessVersion, tenant, publicChannel: open.size === 0 ? null : PUBLIC_CHANNEL }
  return Object.freeze(open.size === 0 ? rules : { ...rules, ...opened(rules, open) })
}

function opened ({ authorize, channels, channelsOf }: AccessRules, open: ReadonlySet<string>): Partial<AccessRules> {
  return {
    ...authorize !== null && { authorize: (...asked: Parameters<Authorize>) => (asked[2] === 'read' && open.has(asked[1])) || authorize(...asked) },
    ...channels !== null && { channels: filedOpenly(channels, open) },
    ...channelsOf !== null && { channelsOf: async (user: User) => withPublic(await channelsOf(user)) }
  }
}

/** A filing is known by its function's text: which collections are public is a part of it, or what is public no more stayed filed. */
function filedOpenly (channels: Channels, open: ReadonlySet<string>): Channels {
  const filed: Channels = (collection, document) => {
    const names = channels(collection, document)
    if (Array.isArray(names) && names.includes(PUBLIC_CHANNEL)) throw new TypeError(`the channel ${PUBLIC_CHANNEL} is the server's own`)
    return open.has(collection) ? withPublic(names) : names
  }
  return Object.assign(filed, { toString: () => `${String(channels)}\n${JSON.stringify([...open].sort())}` })
}

/** What is no array is told by who checks it. */
function withPublic (names: readonly string[]): readonly string[] {
  return Array.isArray(names) ? [...names, PUBLIC_CHANNEL] : names
}
