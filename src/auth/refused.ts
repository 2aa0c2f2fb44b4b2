/** Why a token is none: for the operator who asks why nobody gets in. The message never holds anything of the token. */
export class RefusedToken extends Error {}
