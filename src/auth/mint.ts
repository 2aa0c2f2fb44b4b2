/** Signs tokens for trying out: with the secret that the server checks them with, or the private key of its public one. */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { algorithmsOf, secretOf } from './keys.ts'

export type SigningKey = { readonly secret: string } | { readonly privateKey: string }

/** @throws TypeError for a key that is too weak or cannot be read */
export async function mint (key: SigningKey, claims: Readonly<Record<string, unknown>>): Promise<string> {
  const { algorithm, secret } = 'secret' in key ? { algorithm: 'HS256', secret: secretOf(key.secret).secret } : asymmetric(parsed(key.privateKey))
  const [{ default: Fastify }, { default: jwt }] = await Promise.all([import('fastify'), import('@fastify/jwt')])
  const app = Fastify()
  await app.register(jwt, { secret, sign: { algorithm: algorithm as 'HS256' } })
  await app.ready()
  return app.jwt.sign(claims)
}

function asymmetric (key: KeyObject): { algorithm: string, secret: { private: string, public: string } } {
  const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { algorithm: algorithmsOf(key)[0]!, secret: { private: pem, public: createPublicKey(pem).export({ type: 'spki', format: 'pem' }).toString() } }
}

function parsed (pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    throw new TypeError('the private key cannot be read as a PEM')
  }
}
