import type { Checkpoint } from './types.ts'

/** A checkpoint as URLs have it. */
export function cursorOf ({ global = 0, scope, snapshot, head }: Checkpoint, epoch: string | undefined): string {
  return `${global}${epoch === undefined ? '' : `~e${epoch}`}${scope === undefined ? '' : `~c${scope}`}${snapshot === undefined ? '' : `~s${snapshot}`}${head === undefined ? '' : `~h${head}`}`
}
