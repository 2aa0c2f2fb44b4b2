import { publicFrom } from '../collections.ts'
import { listOf } from './arguments.ts'
import { UsageError } from './exit.ts'

export const publicOption = { type: 'string', value: '<names>', env: 'POCKET_PUBLIC_COLLECTIONS', summary: 'collections that everybody may read, and caches keep: a,b' } as const

/** @throws UsageError */
export function publicOf ({ 'public-collections': text = '' }: { readonly 'public-collections': string | undefined }): readonly string[] {
  try {
    return [...publicFrom(listOf(text))]
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}
