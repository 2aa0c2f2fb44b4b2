/**
 * The version of the wire protocol, with its history, one line each. A changed meaning is a new number; new
 * optional members and new features are not. `test/repo/protocol.test.ts` pins a digest of all schemas to it.
 *
 * 1: push, pull, stream (2026-11)
 */
export const PROTOCOL_VERSION = 1
