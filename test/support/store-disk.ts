/** Small disks of a test's own: one that can be filled, one whose power can be cut. */
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { run } from './programs.ts'

export function folder (t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'pocket-store-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

export function smallDisk (t: Test, size: string): string {
  const path = folder(t)
  run('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path)
  t.teardown(() => { run('umount', '-l', path) })
  return path
}

/** The shutdown ioctl of ext4 with NOLOGFLUSH: from then on nothing reaches the disk, as when the power goes. */
const CUT = "import fcntl, os, struct, sys; fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))"

export interface PoweredDisk {
  readonly path: string
  cut (): void
  /** After what used it has ended: comes up again with what was on the platters. */
  powerUp (): void
}

export function poweredDisk (t: Test): PoweredDisk {
  const home = folder(t)
  const image = join(home, 'disk')
  const path = join(home, 'mounted')
  mkdirSync(path)
  writeFileSync(image, '')
  truncateSync(image, 64 * 2 ** 20)
  run('mkfs.ext4', '-q', '-F', image)
  run('mount', '-o', 'loop', image, path)
  t.teardown(() => { run('umount', path) })
  return {
    path,
    cut: () => { run('python3', '-c', CUT, path) },
    powerUp: () => {
      run('umount', path)
      run('mount', '-o', 'loop', image, path)
    }
  }
}
