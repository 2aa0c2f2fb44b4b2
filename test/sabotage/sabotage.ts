/**
 * A way to break a promise on purpose, and the test that must notice. `npm run sabotage` applies each alone to a
 * copy of the tree and runs the one test file. A test that stays green holds nothing.
 *
 * Every other file of this folder exports `sabotages`, a list of these.
 */
export interface Sabotage {
  /** What is broken, e.g. "promise 3 (Once): the key of a push is not looked up". */
  readonly breaks: string
  /** Source file, from the root of the repository. */
  readonly file: string
  /** Text that the file has exactly once, and what to put in its place. */
  readonly find: string
  readonly replace: string
  /** Test file that is run. */
  readonly test: string
  /** How the title of a test begins that must turn red. */
  readonly title: string
}
