/** What a test needs beyond Node: without it the test is skipped by name, or fails where everything must be there. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Test } from 'tap'
import { postgresBin } from './services/postgres.ts'

/** @param how the command that brings it @returns whether the test can go on */
export function requireProgram (t: Test, program: string, how: string): boolean {
  return found(program) || missing(t, `${program} is not installed: ${how}`)
}

/** A server of the test's own: `startPostgres`. */
export function requirePostgres (t: Test): boolean {
  return postgresBin() !== undefined || missing(t, 'PostgreSQL is not installed: apt-get install postgresql')
}

/** A server of the test's own: `startRedis`. */
export function requireRedis (t: Test): boolean {
  return requireProgram(t, 'redis-server', 'apt-get install redis-server')
}

/** Root, since it mounts. */
export function requireRoot (t: Test): boolean {
  return process.getuid?.() === 0 || missing(t, 'mounting needs root: run the tests as root')
}

function requireLoopDevice (t: Test): boolean {
  return accessible('/dev/loop-control', constants.R_OK) || missing(t, '/dev/loop-control is missing: modprobe loop, or run the container with --privileged')
}

/** What cutting the power of a disk of one's own takes. */
export function requirePowerCut (t: Test): boolean {
  return requireRoot(t) && requireLoopDevice(t) && requireProgram(t, 'mkfs.ext4', 'apt-get install e2fsprogs') &&
    requireProgram(t, 'python3', 'apt-get install python3')
}

/** `POCKET_REQUIRE_ALL=1` is how CI says that nothing may be left out. */
function missing (t: Test, message: string): boolean {
  if (process.env['POCKET_REQUIRE_ALL'] === '1') t.fail(message)
  else t.plan(0, message)
  return false
}

function found (program: string): boolean {
  return [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'].some(folder => accessible(join(folder, program), constants.X_OK))
}

function accessible (path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}

/** @throws Error with what it wrote when it fails */
export function run (program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', env: { ...process.env, PATH: `${process.env['PATH']}${delimiter}/usr/sbin${delimiter}/sbin` } })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr}`)
  return stdout
}

/** Runs a program whose every fsync is tampered with. */
export function strace (...inject: readonly string[]): string[] {
  return ['strace', '-f', '--seccomp-bpf', '-qq', '-o', '/dev/null', '-e', 'trace=fsync,fdatasync', ...inject.flatMap(one => ['-e', `inject=fsync,fdatasync:${one}`])]
}
