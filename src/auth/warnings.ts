import type { Config } from '../config.ts'

/** What the operator may not have meant, told at start. */
export function warningsOf ({ access, jwt }: Pick<Config, 'access' | 'jwt'>): string[] {
  const { authenticate, authorize, channels } = access
  const warnings: string[] = []
  if (authenticate !== null && authorize === null) {
    warnings.push(channels === null
      ? 'authentication without authorize: whoever is known may read and write everything'
      : 'authentication without authorize: whoever is known may write everything, and reads by channels alone')
  }
  if (authenticate === null && (authorize !== null || channels !== null)) warnings.push('authorize or channels without authentication: nobody is known, so everything is denied; set authenticate or jwt')
  if (jwt !== null && jwt.audiences === null) warnings.push('jwt without audience: a token that its issuer made for another service is taken here too')
  return warnings
}
