import type { TenantOf, User } from '../access.ts'
import { tenantLog } from '../backends.ts'
import type { Command } from './command.ts'
import { UsageError } from './exit.ts'

export const claimOption = { type: 'string', value: '<claim>', env: 'POCKET_TENANT_CLAIM', summary: 'claim of tokens that names the tenant; each has its own log' } as const

const tenantOption = { type: 'string', value: '<name>', summary: 'whose log, where each tenant has its own' } as const

/** The same command for the log of a tenant too. */
export function perTenant (command: Command): Command {
  const { db, ...others } = command.options
  return {
    ...command,
    options: { db: db!, tenant: tenantOption, ...others },
    run: async context => {
      const { tenant, ...options } = context.options as Readonly<Record<string, string | undefined>>
      return await command.run({ ...context, options: tenant === undefined ? options as typeof context.options : { ...options, db: await logOf(options['db']!, tenant) } as typeof context.options })
    }
  }
}

async function logOf (db: string, tenant: string): Promise<string> {
  try {
    return await tenantLog(db, tenant)
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/**
 * Who has a token belongs to the tenant that it names.
 * @throws UsageError where nobody has one, or some need none
 */
export function tenantRule (claim: string | undefined, { tokens, isPublic }: { tokens: boolean, isPublic: boolean }): { tenant?: TenantOf } {
  if (claim === undefined) return {}
  if (!tokens) throw new UsageError('--tenant-claim needs tokens: give --jwt-secret, --jwt-public-key or --jwks-url')
  if (isPublic) throw new UsageError('--tenant-claim and --public-collections exclude each other: who reads without a token belongs to no tenant')
  // A number that names a tenant is one; what every object has by itself names none.
  return {
    tenant: (user: User) => {
      const named = Object.hasOwn(user, claim) ? user[claim] : undefined
      return (Number.isSafeInteger(named) ? String(named) : named) as string
    }
  }
}
