/** From what an application says of who asks to a user, or to why it is none. */
import type { User } from '../access.ts'

export interface Session {
  readonly user: User
  /** Whose log the user's documents are in, where there are tenants. */
  readonly tenant?: string
  /** When the credential ends, ms since 1970; Infinity where it does not. */
  readonly expiresAt: number
}

/** Characters of a user's id. No control characters: it is logged, and a part of keys. */
const ID = /^[^\p{Cc}\p{Cs}]{1,255}$/u

/** Clocks differ, and what verified the token may have allowed for it. */
const MOST_LATE_MS = 60_000

/**
 * The application's object itself stays as it is: of many requests it may be the same.
 * @param answer of `authenticate`, not null
 * @throws TypeError saying for the operator what is wrong; values of the answer are not in it
 */
export function sessionOf (answer: unknown, now: number): Session {
  if (typeof answer !== 'object' || answer === null) throw new TypeError(`authenticate must answer a user, an object with id, userId or sub, or null, not a ${typeof answer}`)
  const named = answer as Readonly<Record<string, unknown>>
  const value = idOf(named)
  const id = { value, enumerable: true }
  // With what its class gives it: a rule may call its methods.
  const user = Object.create(Object.getPrototypeOf(answer) as object | null, { ...Object.getOwnPropertyDescriptors(answer), id, userId: id }) as User
  return { user, expiresAt: expiryOf(named['exp'], now) }
}

/**
 * Under what limits count a user: users of two tenants may be called the same, and must not pay for each other. Neither
 * name holds a control character.
 */
export function accountOf ({ user, tenant }: Pick<Session, 'user' | 'tenant'>): string {
  return tenant === undefined ? user.id : `${tenant}\0${user.id}`
}

function idOf ({ id, userId, sub }: Readonly<Record<string, unknown>>): string {
  const [first, second] = [id, userId].filter(value => value !== undefined && value !== null).map(asText)
  if (first !== undefined && second !== undefined && first !== second) throw new TypeError('authenticate answered a user whose id and userId differ; they are the same person here: leave one out')
  return first ?? asText(sub)
}

function asText (value: unknown): string {
  if (Number.isSafeInteger(value) || typeof value === 'bigint') return String(value)
  if (typeof value === 'string' && ID.test(value)) return value
  throw new TypeError('authenticate answered a user whose id, userId or sub is not 1 to 255 characters without control characters')
}

/** Of anything else than seconds nobody knows when it ends, and a stream must not outlive its credential. */
function expiryOf (exp: unknown, now: number): number {
  if (exp === undefined || exp === null) return Infinity
  if (typeof exp !== 'number' || !Number.isFinite(exp)) throw new TypeError('authenticate answered a user whose exp is not the time of its end, in seconds since 1970; leave it out if it means something else')
  const expiresAt = exp * 1000
  if (expiresAt < now - MOST_LATE_MS) throw new TypeError('authenticate answered a user whose exp, in seconds since 1970, is over; leave it out if it means something else')
  return expiresAt
}
